/**
 * Many small byte arrays travel between threads in a few buffers, because each buffer has a price; a large one travels alone, so that it
 * need not be copied and so that a small message, held for long, never keeps a large buffer alive.
 */
const CHUNK = 64 * 1024;
const ALONE = 16 * 1024;

/** Lays `parts` out in buffers that can be transferred. `owned`: a large part that fills its own buffer is handed over without a copy. */
export function pack(parts: readonly Uint8Array[], owned: boolean): ArrayBuffer[] {
  const buffers: ArrayBuffer[] = [];
  for (let from = 0; from < parts.length; ) {
    const [to, bytes] = chunk(from, parts.length, (index) => parts[index]?.byteLength ?? 0);
    const first = parts[from] as Uint8Array;
    if (owned && bytes > ALONE && to === from + 1 && first.byteLength === first.buffer.byteLength && first.buffer instanceof ArrayBuffer) {
      buffers.push(first.buffer);
    } else {
      const target = new Uint8Array(bytes);
      for (let index = from, offset = 0; index < to; index++) {
        const part = parts[index] as Uint8Array;
        target.set(part, offset);
        offset += part.byteLength;
      }
      buffers.push(target.buffer);
    }
    from = to;
  }
  return buffers;
}

/** The parts again, as views on the buffers. */
export function unpack(sizes: readonly number[], buffers: readonly ArrayBuffer[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let from = 0, number = 0; from < sizes.length; number++) {
    const [to] = chunk(from, sizes.length, (index) => sizes[index] ?? 0);
    const buffer = buffers[number] as ArrayBuffer;
    for (let offset = 0; from < to; from++) {
      const size = sizes[from] as number;
      parts.push(new Uint8Array(buffer, offset, size));
      offset += size;
    }
  }
  return parts;
}

/** Where the chunk that begins at `from` ends, and its bytes. Both sides must draw the same line. */
function chunk(from: number, end: number, size: (index: number) => number): [to: number, bytes: number] {
  let bytes = size(from);
  let to = from + 1;
  if (bytes > ALONE) return [to, bytes];
  for (; to < end; to++) {
    const next = size(to);
    if (next > ALONE || bytes + next > CHUNK) break;
    bytes += next;
  }
  return [to, bytes];
}
