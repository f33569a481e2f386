import type { Scenario } from "../scenario.ts";
import { appExits } from "./app-exits.ts";
import { appTrouble } from "./app-trouble.ts";
import { brokerFrozen, brokerKilled } from "./broker-killed.ts";
import { deadLetters } from "./dead-letters.ts";
import { disk } from "./disk.ts";
import { expiry } from "./expiry.ts";
import { failover } from "./failover.ts";
import { flushed } from "./flushed.ts";
import { large } from "./large.ts";
import { memoryFull } from "./memory-full.ts";
import { network } from "./network.ts";
import { order } from "./order.ts";
import { replicas } from "./replicas.ts";
import { sidecarFrozen } from "./sidecar-frozen.ts";
import { podKilled, sidecarKilled } from "./sidecar-killed.ts";
import { sidecarStopped } from "./sidecar-stopped.ts";
import { trimmed } from "./trimmed.ts";

export const SCENARIOS: readonly Scenario[] = [
  sidecarKilled,
  podKilled,
  sidecarStopped,
  sidecarFrozen,
  ...network,
  brokerKilled,
  brokerFrozen,
  replicas,
  ...appTrouble,
  appExits,
  ...deadLetters,
  ...disk,
  ...order,
  expiry,
  memoryFull,
  flushed,
  trimmed,
  ...failover,
  ...large,
];
