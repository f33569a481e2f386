import type { Reader } from "./reader.ts";

/** A message that a group has read and not settled. */
export interface Entry {
  readonly pos: number;
  /** How many messages the cursor had reached with it. */
  turn: number;
  size: number;
  failures: number;
  /** Wall clock: not to be lent before. 0: at once. */
  due: number;
  /** Who has it. undefined: it waits to be lent again. */
  reader: Reader | undefined;
  /** It has a row in `pending`. */
  stored: boolean;
}

export function first(entries: ReadonlyMap<number, Entry>): Entry | undefined {
  for (const entry of entries.values()) return entry;
  return undefined;
}
