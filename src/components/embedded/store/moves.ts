import type { PublishFrame } from "../protocol.ts";
import type { Entry } from "./entry.ts";
import type { Group } from "./group.ts";
import type { Reader } from "./reader.ts";

/** A message that another replaces: acknowledged in the same commit, or, if that fails, not at all. */
interface Moved {
  readonly group: Group;
  readonly entry: Entry;
  readonly reader: Reader;
}

/** Acknowledges what the publishes of a frame replace. Those whose message is no longer lent are `refused`, by their index. */
export function takeMoved({ moves }: PublishFrame, readers: ReadonlyMap<number, Reader>, refused: Set<number>): readonly Moved[] {
  const moved: Moved[] = [];
  for (let at = 0; at < moves.length; at += 3) {
    const reader = readers.get(moves[at + 1] as number);
    const pos = moves[at + 2] as number;
    const entry = reader?.group.lentEntry(pos, reader);
    if (!reader || !entry) {
      refused.add(moves[at] as number);
      continue;
    }
    moved.push({ group: reader.group, entry, reader });
    reader.group.ack(pos, reader);
  }
  return moved;
}

/** Undoes it, after a transaction that failed. A `resync` of the groups must follow. */
export function putBack(moved: readonly Moved[]): void {
  for (const { group, entry, reader } of moved) group.unack(entry, reader);
}
