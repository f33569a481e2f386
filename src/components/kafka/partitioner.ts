/** The partition of a key among so many, as other clients choose it. */
const PARTITIONERS = {
  /** Java's, and those made after it. */
  murmur2: (key: Uint8Array, count: number): number => (murmur2(key) & 0x7fffffff) % count,
  /** Sarama's, and so Go Layotto's and Dapr's. */
  fnv1a: (key: Uint8Array, count: number): number => Math.abs((fnv1a(key) | 0) % count),
};

export type Partitioner = keyof typeof PARTITIONERS;

/** Which partition a message goes to. With a key always the same one. */
export function partitionOf(
  key: string | undefined,
  leaders: readonly number[],
  turn: number,
  partitioner: Partitioner = "murmur2",
): number {
  const count = leaders.length;
  if (count === 1) return 0;
  if (key !== undefined) return PARTITIONERS[partitioner](Buffer.from(key), count);
  for (let tried = 0; tried < count; tried++) {
    const partition = (turn + tried) % count;
    if ((leaders[partition] as number) >= 0) return partition;
  }
  return turn % count;
}

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/** Murmur 2 in the form that Kafka's clients share. */
export function murmur2(data: Uint8Array): number {
  const { length } = data;
  let hash = SEED ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = (data[at] as number) | ((data[at + 1] as number) << 8) | ((data[at + 2] as number) << 16) | ((data[at + 3] as number) << 24);
    k = Math.imul(k, M);
    k ^= k >>> R;
    hash = Math.imul(hash, M) ^ Math.imul(k, M);
  }
  const left = length - at;
  if (left >= 3) hash ^= (data[at + 2] as number) << 16;
  if (left >= 2) hash ^= (data[at + 1] as number) << 8;
  if (left >= 1) {
    hash ^= data[at] as number;
    hash = Math.imul(hash, M);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, M);
  return hash ^ (hash >>> 15);
}

/** FNV-1a of 32 bits. */
export function fnv1a(data: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of data) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
