import { METADATA_BYTES } from "./committing.ts";
import { type Partition, type Stand, same } from "./partition.ts";
import { maybeSame } from "./topic-id.ts";

/**
 * Of partitions that were lost: what the broker knew, and what was settled beyond that. While nobody else has committed, it need not come
 * again: a broker that was away for longer than a session takes nothing from us that is done.
 */
export class Remembered {
  readonly #partitions = new Map<number, { readonly topicId: string; readonly known: Stand; readonly stand: Stand }>();

  keep(partition: Partition): void {
    const { index, topicId, committed: known } = partition;
    this.#partitions.set(index, { topicId, known, stand: partition.stand(METADATA_BYTES) });
  }

  forget(index: number): void {
    this.#partitions.delete(index);
  }

  /** Where to go on instead of where the broker says. Undefined: there. */
  recall(index: number, topicId: string, known: Stand): Stand | undefined {
    const kept = this.#partitions.get(index);
    if (!kept || !maybeSame(kept.topicId, topicId) || !same(kept.known, known) || same(kept.stand, known)) return undefined;
    return kept.stand;
  }
}
