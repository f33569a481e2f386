import type { Behaviour } from "../harness.ts";
import { aborted } from "./aborted.ts";
import { acked } from "./acked.ts";
import { attributesArrive } from "./attributes.ts";
import { backlog } from "./backlog.ts";
import { broadcast } from "./broadcast.ts";
import { browse } from "./browse.ts";
import { bytes } from "./bytes.ts";
import { claims } from "./claims.ts";
import { closeGivesBack } from "./close-gives-back.ts";
import { closing } from "./closing.ts";
import { crashed } from "./crashed.ts";
import { delayed } from "./delayed.ts";
import { delayedRetry } from "./delayed-retry.ts";
import { ensured } from "./ensured.ts";
import { failures } from "./failures.ts";
import { firstSettlement } from "./first-settlement.ts";
import { foreign } from "./foreign.ts";
import { givenUp } from "./given-up.ts";
import { groups } from "./groups.ts";
import { groupsListed } from "./groups-listed.ts";
import { keyFailover } from "./key-failover.ts";
import { keyOrder } from "./key-order.ts";
import { keysApart } from "./keys-apart.ts";
import { lateGroup } from "./late-group.ts";
import { latest } from "./latest.ts";
import { leased } from "./leased.ts";
import { leavingSettles } from "./leaving-settles.ts";
import { moved } from "./moved.ts";
import { oneResult } from "./one-result.ts";
import { orderFailover } from "./order-failover.ts";
import { orderHandedOver } from "./order-handed-over.ts";
import { orderPaused } from "./order-paused.ts";
import { orderReleased } from "./order-released.ts";
import { paused } from "./paused.ts";
import { positions } from "./positions.ts";
import { released } from "./released.ts";
import { restart } from "./restart.ts";
import { seek } from "./seek.ts";
import { sharing } from "./sharing.ts";
import { starts } from "./starts.ts";
import { topicOrder } from "./topic-order.ts";
import { unroutable } from "./unroutable.ts";
import { windowBytes } from "./window-bytes.ts";
import { windowMessages } from "./window-messages.ts";
import { windowOvershot } from "./window-overshot.ts";

/** What holds of every component. */
export const behaviours: readonly Behaviour[] = [
  aborted,
  acked,
  attributesArrive,
  backlog,
  broadcast,
  browse,
  bytes,
  claims,
  closeGivesBack,
  closing,
  crashed,
  delayedRetry,
  delayed,
  ensured,
  failures,
  firstSettlement,
  foreign,
  givenUp,
  groupsListed,
  groups,
  keyFailover,
  keyOrder,
  keysApart,
  lateGroup,
  latest,
  leased,
  leavingSettles,
  moved,
  oneResult,
  orderFailover,
  orderHandedOver,
  orderPaused,
  orderReleased,
  paused,
  positions,
  released,
  restart,
  seek,
  sharing,
  starts,
  topicOrder,
  unroutable,
  windowBytes,
  windowMessages,
  windowOvershot,
];
