import type { Sink } from "../../pubsub/subscription.ts";
import { Window } from "../window.ts";
import { Lease, type LeaseKeeper } from "./lease.ts";
import type { Partition } from "./partition.ts";
import { DONE } from "./progress.ts";
import { type Aborted, readBatches, type StoredRecord } from "./wire/record-batch.ts";

/** Messages of one partition that are lent before it is another one's turn. */
const TURN = 64;

/** Whom it lends to, and who is told. */
export interface Lender {
  readonly sink: Sink;
  /** What a record looks like to whoever gets it. */
  readonly shown: ((record: StoredRecord) => StoredRecord) | undefined;
  /** There may be room again. */
  goOn(): void;
  /** Something of the partition is settled, or failed. */
  touched(partition: Partition): void;
}

/** From what was read of our partitions to what is settled: holds what the window does not admit, and lends. */
export class Lending implements LeaseKeeper {
  readonly window = new Window();
  readonly #lender: Lender;
  readonly #partitions = new Map<number, Partition>();
  #held = 0;
  #delivering = false;
  /** Something was taken back in this turn of the event loop, and what belongs before it may follow. */
  #gathering = false;

  constructor(lender: Lender) {
    this.#lender = lender;
  }

  get partitions(): readonly Partition[] {
    return [...this.#partitions.values()];
  }

  partition(index: number): Partition | undefined {
    return this.#partitions.get(index);
  }

  add(partition: Partition): void {
    this.#partitions.set(partition.index, partition);
  }

  /** How many bytes are worth reading now. */
  get room(): number {
    return this.#held > 0 || this.#gathering ? 0 : this.window.bytes;
  }

  /** Nothing is lent. */
  get idle(): boolean {
    return this.window.lent === 0;
  }

  /** What a fetch brought of a partition. Throws a WireError when it is not what was written. */
  read(partition: Partition, bytes: Buffer, aborted: readonly Aborted[]): void {
    const { progress, held } = partition;
    const { shown } = this.#lender;
    const { next, epoch } = readBatches(bytes, progress.next, aborted, (record) => {
      const failures = progress.known(record.offset);
      if (failures === DONE) return;
      const lease = new Lease(partition, this, shown ? shown(record) : record, failures);
      progress.add(lease);
      held.push(lease);
      this.#held += 1;
    });
    progress.readTo(next);
    if (epoch > partition.epoch) partition.epoch = epoch;
    // Everything in it may have been settled before.
    if (held.length === 0 && progress.first > partition.committed.offset) this.#lender.touched(partition);
  }

  /** What is settled within `deliver` makes room for more, which comes after it and not within it. */
  lend(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    while (this.#held > 0 && !this.#gathering) {
      const batch: Lease[] = [];
      for (let lent = -1; lent !== batch.length; ) {
        lent = batch.length;
        for (const { held } of this.#partitions.values()) this.#take(held, batch);
      }
      if (batch.length === 0) break;
      this.#lender.sink.deliver(batch);
    }
    this.#delivering = false;
  }

  changed(lease: Lease): void {
    this.window.giveBack(lease.data.length);
    const { partition } = lease;
    if (lease.state === "acked") {
      partition.progress.settled();
      this.#lender.touched(partition);
    } else if (!partition.leaving) this.#takeBack(lease);
    this.#lender.goOn();
  }

  marked({ partition }: Lease): void {
    this.#lender.touched(partition);
  }

  /** They are being given up. Returns what of them is lent. */
  leave(partitions: readonly Partition[]): readonly Lease[] {
    for (const partition of partitions) {
      partition.leaving = true;
      this.#held -= partition.held.length;
      partition.held.length = 0;
    }
    return partitions.flatMap(({ lent }) => lent);
  }

  /** They are not ours any more. Returns what of them was lent. */
  remove(partitions: readonly Partition[]): readonly Lease[] {
    this.leave(partitions);
    const lost = partitions.flatMap((partition) => partition.clear());
    for (const { data } of lost) this.window.giveBack(data.length);
    for (const partition of partitions) if (this.#partitions.get(partition.index) === partition) this.#partitions.delete(partition.index);
    return lost;
  }

  #take(held: Lease[], batch: Lease[]): void {
    let taken = 0;
    while (taken < TURN && taken < held.length && this.window.open) {
      const lease = held[taken++] as Lease;
      lease.state = "lent";
      this.window.lend(lease.data.length);
      batch.push(lease);
    }
    if (taken === 0) return;
    held.splice(0, taken);
    this.#held -= taken;
  }

  /** Not lent again before the turn of the event loop ends: of several that are released the first must come first. */
  #takeBack(lease: Lease): void {
    lease.partition.takeBack(lease);
    this.#held += 1;
    if (this.#gathering) return;
    this.#gathering = true;
    setImmediate(() => {
      this.#gathering = false;
      this.#lender.goOn();
    });
  }
}
