import type { Connection } from "./connection.ts";
import type { Lease } from "./lease.ts";
import { readMarks, writeMarks } from "./marks.ts";
import { Progress } from "./progress.ts";

/** What a group has committed of a partition. */
export interface Stand {
  readonly offset: number;
  readonly metadata: string;
  /** The leader's epoch in which the last settled message was read; -1: unknown. */
  readonly epoch: number;
}

export function same(a: Stand, b: Stand): boolean {
  return a.offset === b.offset && a.metadata === b.metadata;
}

/** A partition that is ours: what was read of it, and how far it is settled. */
export class Partition {
  readonly topic: string;
  readonly index: number;
  readonly topicId: string;
  readonly progress: Progress<Lease>;
  /** Read and not lent yet, in the order of their offsets. */
  readonly held: Lease[] = [];
  /** We begin elsewhere than the broker would: it is to know. */
  readonly elsewhere: boolean;
  /** It is being given up: nothing more is read or lent. */
  leaving = false;
  /** It was given up. */
  gone = false;
  /** The highest of the batches that were read: up to it all must be there that is settled, also beyond the one that was read last. */
  epoch: number;
  /** Over this connection its leader has shown that it has what was read. Another one may lead to a log that was cut off meanwhile. */
  sureOver: Connection | undefined;
  /** What the broker knows. */
  committed: Stand;
  /** All that is to be recorded fits. */
  #whole = true;

  /** `stand`: where we are. `committed`: what the broker knows. */
  constructor(topic: string, topicId: string, index: number, stand: Stand, committed = stand) {
    this.topic = topic;
    this.topicId = topicId;
    this.index = index;
    this.committed = committed;
    this.elsewhere = stand !== committed;
    this.epoch = stand.epoch;
    this.progress = new Progress(stand.offset, readMarks(stand.offset, stand.metadata));
  }

  /** The same one, of which nothing is read yet, from `stand` on. */
  from(stand: Stand): Partition {
    return new Partition(this.topic, this.topicId, this.index, stand, this.committed);
  }

  /** Whether more may be read: what could not be recorded must not be settled. */
  get readable(): boolean {
    return !this.leaving && this.#whole;
  }

  /** What is lent and not settled. */
  get lent(): readonly Lease[] {
    return this.progress.open.filter(({ state }) => state === "lent");
  }

  /** What is to be committed, in at most so many bytes of metadata. `end`: where the log ends that is left of what was read. */
  stand(mostBytes: number, end = Number.POSITIVE_INFINITY): Stand {
    const offset = Math.min(this.progress.first, end);
    const marks = this.progress.marks().flatMap((mark) => (mark.from < end ? [{ ...mark, to: Math.min(mark.to, end) }] : []));
    const { text, whole } = writeMarks(this.topicId, offset, marks, mostBytes);
    this.#whole = whole;
    return { offset, metadata: text, epoch: this.epoch };
  }

  /** Back to where it was, before all that has a higher offset and is not lent. */
  takeBack(lease: Lease): void {
    const again = lease.again();
    this.progress.replace(again);
    let at = 0;
    while (at < this.held.length && (this.held[at] as Lease).offset < lease.offset) at += 1;
    this.held.splice(at, 0, again);
  }

  /** It is not ours any more. Returns what was lent. */
  clear(): readonly Lease[] {
    this.leaving = true;
    this.gone = true;
    this.held.length = 0;
    const lost = this.lent;
    for (const lease of this.progress.open) lease.state = "lost";
    return lost;
  }
}
