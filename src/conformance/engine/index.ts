import type { Behaviour } from "../harness.ts";
import { appAway } from "./app-away.ts";
import { dropped } from "./dropped.ts";
import { expired } from "./expired.ts";
import { failureRecorded } from "./failure-recorded.ts";
import { outage } from "./outage.ts";
import { raw } from "./raw.ts";
import { removed } from "./removed.ts";
import { retry } from "./retry.ts";
import { stopping } from "./stopping.ts";

/** What holds of the engine and the component together. */
export const engineBehaviours: readonly Behaviour[] = [appAway, dropped, expired, failureRecorded, outage, raw, removed, retry, stopping];
