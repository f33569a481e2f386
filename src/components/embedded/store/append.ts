import { unpack } from "../packing.ts";
import type { PublishFrame } from "../protocol.ts";
import type { Catalog } from "./catalog.ts";
import type { Database } from "./database.ts";
import type { Topic } from "./log.ts";

/** Most delayed messages that one cycle makes ordinary ones. */
const PROMOTE = 256;

/** Instead of a position: the message would have replaced one that is not the reader's any more, and was not stored. */
const NOT_REPLACED = -1;

/** What one transaction adds to the log. Memory learns it by `apply`, once it is committed. */
export class Append {
  readonly #db: Database;
  readonly #catalog: Catalog;
  readonly #now: number;
  readonly #growth = new Map<Topic, { last: number; bytes: number; count: number }>();

  constructor(db: Database, catalog: Catalog, now: number) {
    this.#db = db;
    this.#catalog = catalog;
    this.#now = now;
  }

  /** Stores the messages, except those at the indexes in `refused`. A position each, 0 where it is delayed. */
  publish(frame: PublishFrame, refused: ReadonlySet<number>): number[] {
    const { log } = this.#db;
    return unpack(frame.sizes, frame.data).map((bytes, index) => {
      if (refused.has(index)) return NOT_REPLACED;
      const topic = this.#catalog.topic(frame.topics[frame.topic[index] as number] as string) as Topic;
      const expires = frame.expires[index] ?? null;
      const due = frame.notBefore[index] ?? null;
      const key = frame.keys[index] ?? null;
      const attributes = frame.attributes[index] ?? null;
      if (due !== null && due > this.#now) {
        log.delay(topic, due, expires, key, attributes, bytes);
        return 0;
      }
      const pos = log.append(topic, this.#now, expires, key, attributes, bytes);
      this.#grow(topic, pos, bytes.byteLength + (attributes?.length ?? 0));
      return pos;
    });
  }

  /** Makes delayed messages whose time has come ordinary ones. */
  promote(): void {
    const { log } = this.#db;
    for (const [n, topicId, expires, bytes] of log.due(this.#now, PROMOTE)) {
      const topic = this.#catalog.topicById(topicId);
      if (expires !== null && expires <= this.#now) log.dropDelayed(n);
      else this.#grow(topic, log.promote(n, this.#now), bytes);
    }
  }

  /** Ends the writing. */
  write(): void {
    for (const [topic, { bytes }] of this.#growth) this.#db.log.addBytes(topic, bytes);
  }

  apply(): void {
    for (const [topic, { last, bytes, count }] of this.#growth) {
      topic.last = last;
      topic.bytes += bytes;
      for (const group of this.#catalog.groups(topic)) if (group.unread !== undefined) group.unread += count;
    }
  }

  #grow(topic: Topic, pos: number, bytes: number): void {
    const sum = this.#growth.get(topic);
    if (sum) {
      sum.last = pos;
      sum.bytes += bytes;
      sum.count++;
    } else this.#growth.set(topic, { last: pos, bytes, count: 1 });
  }
}
