import type { AppConduct } from "./app-conduct.ts";
import type { Broker, Need } from "./broker.ts";
import type { Ledger } from "./ledger.ts";
import type { Run } from "./run.ts";

/** Something that goes wrong, and what is there when it does. Whatever it is, nothing may be lost: `settle` checks it after every one. */
export interface Scenario {
  /** Short, for the command line: `sidecar-killed`. */
  readonly name: string;
  readonly title: string;
  readonly needs: readonly Need[];
  /** Takes too long for `npm test`. */
  readonly byHand?: true;
  readonly replicas?: number;
  readonly topics?: number;
  /** Each publisher has a key of its own, and what it publishes must stay in order. */
  readonly ordered?: true;
  /** Bytes of a message. Default: as few as say which one it is. */
  readonly bytes?: number;
  /** What the app does at first; absent: the scenario starts it. Default: it succeeds. */
  readonly app?: AppConduct | "absent";
  /** Over the defaults of `run.ts`. */
  readonly delivery?: Readonly<Record<string, unknown>>;
  readonly publish?: Readonly<Record<string, unknown>>;
  /** Keys of each subscription, which is then declared in the configuration instead of asked for by the app. */
  readonly subscription?: Readonly<Record<string, unknown>>;
  /** There is a dead-letter topic, and these messages must be there in the end, each once. */
  readonly deadLetters?: readonly number[] | ((ledger: Ledger) => readonly number[]);
  /** With a pair of servers of its own; `safe`: what was acknowledged is on both. */
  readonly pair?: "safe" | "unsafe";
  /** How long what was acknowledged may take to arrive, once all is well again. Default: 40 s. */
  readonly arrivesWithinMs?: number;
  play(run: Run): Promise<void>;
}

/** Why a scenario cannot be played on a broker; undefined: it can. */
export function gap(scenario: Scenario, broker: Broker): string | undefined {
  const reasons = [scenario.name, ...scenario.needs].map((need) => broker.gaps[need]);
  return reasons.find((reason) => reason !== undefined);
}
