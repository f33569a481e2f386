import { isFull } from "../errors.ts";
import type { StoreSettings } from "../protocol.ts";
import type { Ballast } from "./ballast.ts";
import { deleteGroup, type Ground } from "./calls.ts";
import { sweep } from "./retention.ts";

const PERIOD_MS = 10_000;

/** Deletes what is no longer needed: once a period, and at once when there is no room; a little a cycle. */
export class Sweeping {
  /** When the next step is due, on the monotonic clock. */
  dueAt = 0;
  /** There was no room for a publish since the last one ended. */
  #pressed = false;
  /** It has more to delete than one step may. */
  #underWay = false;

  /** What all groups are done with goes at once. */
  press(elapsed: number): void {
    this.#pressed = true;
    this.dueAt = elapsed;
  }

  /** True: there is more. */
  step(ground: Ground, settings: StoreSettings, ballast: Ballast): boolean {
    const { catalog, db, now, elapsed } = ground;
    if (elapsed < this.dueAt) return false;
    let more = false;
    try {
      // Once a period, not with each of its steps.
      if (!this.#underWay) lookAtGroups(ground);
      for (const topic of catalog.topics()) {
        const swept = db.transaction(() => sweep(topic, catalog, db, settings, now, this.#pressed));
        topic.bytes -= swept.freed;
        more ||= swept.more;
      }
      more = db.shrink() || more;
      if (!more) ballast.take();
    } catch (error) {
      if (db.spoiled || !isFull(error)) throw error;
      if (!ballast.give()) more = false;
    }
    this.#underWay = more;
    if (!more) {
      this.#pressed = false;
      this.dueAt = elapsed + PERIOD_MS;
    }
    return more;
  }
}

/** Those that nobody has read for as long as they were to be kept are deleted. */
function lookAtGroups(ground: Ground): void {
  const { catalog, now, elapsed } = ground;
  for (const group of [...catalog.allGroups()]) {
    group.hasten(now, elapsed);
    const idle = group.readers.length === 0 && group.expiresAfterMs !== null && group.idleSince !== null;
    if (idle && now - (group.idleSince ?? now) >= (group.expiresAfterMs ?? 0)) deleteGroup(group, ground);
  }
}
