import type { Clock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import { asPubSubError } from "../../pubsub/error.ts";
import { answered, KAFKA } from "./errors.ts";
import { SEAL_LENGTH } from "./marks.ts";
import { type Partition, type Stand, same } from "./partition.ts";
import type { Commit, PartitionError } from "./wire/group-apis.ts";

/** The broker's default of `offset.metadata.max.bytes`, but for the seal. */
export const METADATA_BYTES = 4_096 - SEAL_LENGTH;
const RETRY_MS = 100;

export interface Committer {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** So many settlements are recorded at once, without waiting for the interval: as many may come again after a crash. */
  readonly most: number;
  /** Rejects with a PubSubError. Undefined: there is no group at the moment that would take it. */
  commit(commits: readonly Commit[]): Promise<readonly PartitionError[]> | undefined;
  /** A commit failed. It is repeated. */
  failed(error: PubSubError): void;
  /** Commits stand. What could not be recorded before may be now. */
  recorded(): void;
}

/** Records what is settled: one commit at a time, of all partitions in which something changed, at least once an interval. */
export class Committing {
  readonly #committer: Committer;
  readonly #dirty = new Set<Partition>();
  readonly #waiting: { readonly upTo: number; readonly resolve: () => void }[] = [];
  #queued = 0;
  #stand = 0;
  #running = false;
  #scheduled: (() => void) | undefined;
  #hurry = false;
  #metadataBytes = METADATA_BYTES;
  #stopped = false;

  constructor(committer: Committer) {
    this.#committer = committer;
  }

  /** Something of the partition is settled, or failed. */
  touch(partition: Partition): void {
    this.#queued += 1;
    this.#dirty.add(partition);
    if (this.#queued - this.#stand >= this.#committer.most) this.soon();
    else this.#later(this.#committer.intervalMs);
  }

  /** Everything that was settled stands. */
  get clean(): boolean {
    return this.#stand === this.#queued;
  }

  /** Resolves when everything that was settled so far stands. */
  flushed(): Promise<void> {
    if (this.clean) return Promise.resolve();
    this.soon();
    return new Promise((resolve) => this.#waiting.push({ upTo: this.#queued, resolve }));
  }

  /** Now, or once the one under way has ended. */
  soon(): void {
    if (this.#hurry) return;
    this.#hurry = true;
    if (this.#running) return;
    this.#cancel();
    // At the end of this turn of the event loop: what else is settled in it is in the same commit.
    setImmediate(() => void this.#round());
  }

  /** Nothing of them can be committed any more. */
  drop(partitions: readonly Partition[]): void {
    for (const partition of partitions) this.#dirty.delete(partition);
    if (this.#dirty.size === 0 && !this.#running) this.#stands(this.#queued);
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#dirty.clear();
  }

  #cancel(): void {
    this.#scheduled?.();
    this.#scheduled = undefined;
  }

  #later(ms: number): void {
    if (this.#scheduled || this.#running || this.#hurry || this.#stopped) return;
    this.#scheduled = this.#committer.clock.after(ms, () => {
      this.#scheduled = undefined;
      void this.#round();
    });
  }

  async #round(): Promise<void> {
    if (this.#running || this.#stopped) return;
    this.#hurry = false;
    this.#running = true;
    const upTo = this.#queued;
    const round = [...this.#dirty];
    this.#dirty.clear();
    const sent = this.#metadataBytes;
    const stands = round.map((partition) => ({ partition, stand: partition.stand(sent) }));
    const changed = stands.filter(({ partition: { committed }, stand }) => !same(stand, committed));
    let failed = false;
    try {
      const errors =
        changed.length === 0 ? [] : await this.#committer.commit(changed.map(({ partition: { index }, stand }) => ({ index, ...stand })));
      if (errors === undefined) failed = true;
      else for (const { partition, stand } of changed) failed = !this.#took(partition, stand, errors, sent) || failed;
    } catch (error) {
      failed = true;
      this.#committer.failed(asPubSubError(error));
    }
    this.#running = false;
    // A partition that was given up meanwhile is nobody's concern.
    if (failed)
      for (const { partition } of changed)
        if (!partition.gone && !same(partition.stand(this.#metadataBytes), partition.committed)) this.#dirty.add(partition);
    if (!failed || this.#dirty.size === 0) this.#stands(upTo);
    if (!failed) this.#committer.recorded();
    if (this.#dirty.size === 0 && this.#waiting.length === 0) this.#hurry = false;
    else if (failed) {
      this.#hurry = false;
      this.#later(RETRY_MS);
    } else if (this.#hurry) setImmediate(() => void this.#round());
    else this.#later(this.#committer.intervalMs);
  }

  /** Whether the broker has it. */
  #took(partition: Partition, stand: Stand, errors: readonly PartitionError[], sent: number): boolean {
    const number = errors.find(({ index }) => index === partition.index)?.error ?? KAFKA.none;
    if (number === KAFKA.none) {
      partition.committed = stand;
      return true;
    }
    if (number === KAFKA.metadataTooLarge) this.#metadataBytes = Math.floor(sent / 2);
    const error = answered(`committing ${partition.topic}`, number);
    if (error) this.#committer.failed(error);
    return false;
  }

  #stands(upTo: number): void {
    this.#stand = Math.max(this.#stand, upTo);
    while (this.#waiting[0] && this.#waiting[0].upTo <= upTo) this.#waiting.shift()?.resolve();
  }
}
