/** Bytes that are not what Kafka's protocol says. */
export class WireError extends Error {
  override readonly name = "WireError";
}

/** Kafka's primitive types, read from a buffer in place. Reading past its end throws a WireError. */
export class Reader {
  readonly buffer: Buffer;
  position: number;
  readonly end: number;
  /** For how many milliseconds the broker listens to nothing more on this connection, since a quota is used up. */
  throttleMs = 0;

  constructor(buffer: Buffer, position = 0, end = buffer.length) {
    this.buffer = buffer;
    this.position = position;
    this.end = end;
  }

  get left(): number {
    return this.end - this.position;
  }

  #take(bytes: number): number {
    const at = this.position;
    if (bytes < 0 || at + bytes > this.end) throw new WireError(`expected ${bytes} more bytes of a reply, found ${this.end - at}`);
    this.position = at + bytes;
    return at;
  }

  int8(): number {
    const at = this.#take(1);
    return ((this.buffer[at] as number) << 24) >> 24;
  }

  int16(): number {
    return this.buffer.readInt16BE(this.#take(2));
  }

  int32(): number {
    const at = this.#take(4);
    const { buffer } = this;
    return (
      ((buffer[at] as number) << 24) | ((buffer[at + 1] as number) << 16) | ((buffer[at + 2] as number) << 8) | (buffer[at + 3] as number)
    );
  }

  int64(): number {
    const high = this.int32();
    return high * 2 ** 32 + (this.int32() >>> 0);
  }

  flag(): boolean {
    return this.int8() !== 0;
  }

  string(): string {
    return this.nullableString() ?? "";
  }

  nullableString(): string | undefined {
    return this.#utf8(this.int16());
  }

  bytes(): Buffer {
    return this.#slice(this.int32());
  }

  array<T>(read: () => T): T[] {
    return this.#items(this.int32(), read);
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.#take(1)] as number;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
    throw new WireError("expected a number of at most five bytes, found more");
  }

  varint(): number {
    const value = this.uvarint();
    return (value >>> 1) ^ -(value & 1);
  }

  /** Of 64 bits, as far as a number holds it. */
  varlong(): number {
    let value = 0;
    let factor = 1;
    for (let read = 0; read < 10; read++) {
      const byte = this.buffer[this.#take(1)] as number;
      value += (byte & 127) * factor;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      factor *= 128;
    }
    throw new WireError("expected a number of at most ten bytes, found more");
  }

  compactString(): string {
    return this.#utf8(this.uvarint() - 1) ?? "";
  }

  compactArray<T>(read: () => T): T[] {
    return this.#items(this.uvarint() - 1, read);
  }

  compactBytes(): Buffer {
    return this.#slice(this.uvarint() - 1);
  }

  uuid(): string {
    const at = this.#take(16);
    return this.buffer.toString("hex", at, at + 16);
  }

  tagged(): void {
    for (let left = this.uvarint(); left > 0; left--) {
      this.uvarint();
      this.#take(this.uvarint());
    }
  }

  /** The member of nearly all answers that tells of `throttleMs`. */
  throttled(): void {
    this.throttleMs = this.int32();
  }

  skip(bytes: number): void {
    this.#take(bytes);
  }

  #items<T>(length: number, read: () => T): T[] {
    const items: T[] = [];
    for (let index = 0; index < length; index++) items.push(read());
    return items;
  }

  #utf8(length: number): string | undefined {
    if (length < 0) return undefined;
    const at = this.#take(length);
    return this.buffer.toString("utf8", at, at + length);
  }

  #slice(length: number): Buffer {
    const at = this.#take(Math.max(0, length));
    return this.buffer.subarray(at, this.position);
  }
}
