import { BlockWriter } from "./block-writer.ts";
import { FieldIndex } from "./field-index.ts";

/**
 * What becomes of a field.
 * - `index`: it is added to the table, and costs a byte or two the next time (RFC 7541 6.2.1).
 * - `plain`: it is not added; for what seldom comes again (6.2.2).
 * - `never`: it is in no table, and proxies may not put it in one either; for secrets (6.2.3, 7.1.3).
 */
export type Indexing = "index" | "plain" | "never";

/** Strings are latin1, one character a byte. */
export type HeaderField = readonly [name: string, value: string, indexing: Indexing];

interface EncoderOptions {
  /** False: no string is Huffman encoded, which takes less time at both ends and more bytes between them. */
  huffman?: boolean;
}

/** The most of the peer's table that we use, in bytes; also what it has before anybody says anything (RFC 9113 6.5.2). */
const MAX_TABLE_BYTES = 4096;

/** Shared, since a block is encoded at one go. */
const writer = new BlockWriter();

/** The encoder of one direction of a connection. The peer must get its blocks in order, each that changed `version` exactly once. */
export class HpackEncoder {
  readonly #huffman: boolean;
  readonly #index = new FieldIndex(MAX_TABLE_BYTES);
  #version = 0;
  /** What the table is to have from the next block on. */
  #tableBytes = MAX_TABLE_BYTES;
  /** The least that it was told to have since the last size update. */
  #leastBytes = Number.POSITIVE_INFINITY;
  #resizeDue = false;

  constructor(options: EncoderOptions = {}) {
    this.#huffman = options.huffman ?? true;
  }

  /**
   * Changes whenever a block encoded earlier might not mean the same any more: the table changed, or a size update is due. A block that
   * was encoded at this version and left it as it was can be sent again as it is.
   */
  get version(): number {
    return this.#version;
  }

  /**
   * The peer's SETTINGS_HEADER_TABLE_SIZE in bytes, of which at most 4096 are used. The next block begins with the size updates that
   * this asks for.
   */
  setPeerTableBytes(bytes: number): void {
    this.#tableBytes = Math.min(bytes, MAX_TABLE_BYTES);
    this.#leastBytes = Math.min(this.#leastBytes, this.#tableBytes);
    const now = this.#index.maxTableBytes;
    if (this.#leastBytes === now && this.#tableBytes === now) return;
    this.#resizeDue = true;
    this.#version++;
  }

  /**
   * A block of these fields, in a buffer of its own. Throws TypeError for a character that is not latin1; the encoder can be used on,
   * and clears the table with the next block.
   */
  encode(fields: readonly HeaderField[]): Buffer {
    writer.open();
    if (this.#resizeDue) this.#resize();
    try {
      for (const [name, value, indexing] of fields) this.#field(name, value, indexing);
    } catch (error) {
      // The peer will not see what this block put into the table, nor its size updates.
      this.#leastBytes = 0;
      this.#resizeDue = true;
      this.#version++;
      throw error;
    }
    return writer.finish();
  }

  #field(name: string, value: string, indexing: Indexing): void {
    if (indexing !== "never") {
      const index = this.#index.field(name, value);
      if (index > 0) {
        writer.integer(0x80, 0x7f, index);
        return;
      }
    }
    // Adding an entry that is too big would empty the table for nothing (RFC 7541 4.4).
    const added = indexing === "index" && this.#index.fits(name, value);
    const nameIndex = this.#index.name(name);
    if (added) writer.integer(0x40, 0x3f, nameIndex);
    else writer.integer(indexing === "never" ? 0x10 : 0, 0x0f, nameIndex);
    if (nameIndex === 0) writer.string(name, this.#huffman);
    writer.string(value, this.#huffman);
    if (!added) return;
    this.#index.add(name, value);
    this.#version++;
  }

  /** The peer must learn the smallest size that there was in between, then the last (RFC 7541 4.2). */
  #resize(): void {
    if (this.#leastBytes < this.#tableBytes) this.#resizeTo(this.#leastBytes);
    this.#resizeTo(this.#tableBytes);
    this.#leastBytes = Number.POSITIVE_INFINITY;
    this.#resizeDue = false;
    this.#version++;
  }

  #resizeTo(bytes: number): void {
    writer.integer(0x20, 0x1f, bytes);
    this.#index.resize(bytes);
  }
}
