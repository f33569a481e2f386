/** Which partition a message goes to. With a key always the same one, and the one that Java's client would choose. */
export function partitionOf(key: string | undefined, leaders: readonly number[], turn: number): number {
  const count = leaders.length;
  if (count === 1) return 0;
  if (key !== undefined) return (murmur2(Buffer.from(key)) & 0x7fffffff) % count;
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
