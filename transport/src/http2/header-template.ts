import type { HeaderField, HpackEncoder } from "../hpack/encoder.ts";

/** A header list that is sent again and again. It is encoded anew only when the encoder's table has changed since. One for each connection. */
export class HeaderTemplate {
  readonly #fields: readonly HeaderField[];
  #version = -1;
  #block: Buffer = EMPTY;

  constructor(fields: readonly HeaderField[]) {
    this.#fields = fields;
  }

  /** The block to send now, and at once: blocks must be sent in the order in which they are encoded. */
  encode(encoder: HpackEncoder): Buffer {
    const { version } = encoder;
    if (version === this.#version) return this.#block;
    const block = encoder.encode(this.#fields);
    // A block that changed the table means something else the second time.
    if (encoder.version === version) [this.#version, this.#block] = [version, block];
    return block;
  }
}

const EMPTY = Buffer.alloc(0);
