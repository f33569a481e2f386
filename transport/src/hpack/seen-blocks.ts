/** How many blocks are kept; a power of two. */
const SLOTS = 64;
/** Longer blocks are full of literals, which seldom come again. */
const MAX_BYTES = 256;

interface Seen<View> {
  readonly bytes: Uint8Array;
  /** What the table's `changes` was; the block means the same only as long as it is. */
  readonly changes: number;
  readonly view: View;
}

/** Blocks that did not change the dynamic table, with what they meant: each has one slot where it can be, and displaces what is there. */
export class SeenBlocks<View> {
  readonly #slots: (Seen<View> | undefined)[] = new Array<Seen<View> | undefined>(SLOTS).fill(undefined);

  /** What buffer[start, end) meant when it came before, if it is here and means the same now. */
  find(buffer: Uint8Array, start: number, end: number, changes: number): Seen<View> | undefined {
    const length = end - start;
    if (length > MAX_BYTES) return undefined;
    const seen = this.#slots[slotOf(buffer, start, end)];
    if (seen === undefined || seen.changes !== changes || seen.bytes.length !== length) return undefined;
    const bytes = seen.bytes;
    for (let i = 0; i < length; i++) if (bytes[i] !== buffer[start + i]) return undefined;
    return seen;
  }

  keep(buffer: Uint8Array, start: number, end: number, changes: number, view: View): void {
    if (end - start > MAX_BYTES) return;
    const bytes = new Uint8Array(buffer.subarray(start, end));
    this.#slots[slotOf(buffer, start, end)] = { bytes, changes, view };
  }
}

function slotOf(buffer: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let at = start; at < end; at++) hash = (Math.imul(hash, 31) + (buffer[at] as number)) | 0;
  return (hash ^ (hash >>> 6)) & (SLOTS - 1);
}
