import type { Behaviour } from "../harness.ts";
import { appAway } from "./app-away.ts";
import { deadLetter } from "./dead-letter.ts";
import { dropped } from "./dropped.ts";
import { expired } from "./expired.ts";
import { failureRecorded } from "./failure-recorded.ts";
import { keyOrder } from "./key-order.ts";
import { keyOrderStopped } from "./key-order-stopped.ts";
import { outage } from "./outage.ts";
import { poison } from "./poison.ts";
import { raw } from "./raw.ts";
import { removed } from "./removed.ts";
import { retry } from "./retry.ts";
import { stopping } from "./stopping.ts";

/** What holds of the engine and the component together. */
export const engineBehaviours: readonly Behaviour[] = [
  appAway,
  deadLetter,
  dropped,
  expired,
  failureRecorded,
  keyOrder,
  keyOrderStopped,
  outage,
  poison,
  raw,
  removed,
  retry,
  stopping,
];
