const START_BYTES = 256;
/** Strings up to this length are copied character by character while they are ASCII, which is cheaper than to ask for it. */
const SHORT = 40;

/** Kafka's primitive types, appended to a buffer that grows. */
export class Writer {
  #buffer: Buffer;
  #length = 0;

  constructor(bytes = START_BYTES) {
    this.#buffer = Buffer.allocUnsafe(bytes);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written: a view that is good until more is written. */
  get written(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#length + bytes));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }

  /** Leaves so many bytes to be filled in later; returns where they begin. */
  skip(bytes: number): number {
    this.#room(bytes);
    const at = this.#length;
    this.#length += bytes;
    return at;
  }

  int8(value: number): this {
    this.#room(1);
    this.#buffer[this.#length++] = value & 0xff;
    return this;
  }

  int16(value: number): this {
    this.#room(2);
    this.#length = this.#buffer.writeInt16BE(value, this.#length);
    return this;
  }

  int32(value: number): this {
    this.int32At(this.skip(4), value);
    return this;
  }

  int32At(at: number, value: number): void {
    const buffer = this.#buffer;
    buffer[at] = value >>> 24;
    buffer[at + 1] = value >>> 16;
    buffer[at + 2] = value >>> 8;
    buffer[at + 3] = value;
  }

  /** Whole numbers up to 2^53, which no offset and no time will reach. */
  int64(value: number): this {
    const high = Math.floor(value / 2 ** 32);
    return this.int32(high).int32(value - high * 2 ** 32);
  }

  flag(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  string(value: string): this {
    const bytes = Buffer.byteLength(value);
    this.int16(bytes);
    return this.utf8(value, bytes);
  }

  nullableString(value: string | undefined): this {
    return value === undefined ? this.int16(-1) : this.string(value);
  }

  bytes(value: Uint8Array): this {
    return this.int32(value.length).raw(value);
  }

  /** An array with its length before it. */
  array<T>(values: readonly T[], write: (value: T) => void): this {
    this.int32(values.length);
    for (const value of values) write(value);
    return this;
  }

  raw(value: Uint8Array): this {
    this.#room(value.length);
    this.#buffer.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** `bytes`: its length as UTF-8. */
  utf8(value: string, bytes: number): this {
    this.#room(bytes);
    if (bytes === value.length && bytes <= SHORT) {
      for (let index = 0; index < bytes; index++) this.#buffer[this.#length + index] = value.charCodeAt(index);
    } else this.#buffer.write(value, this.#length, bytes, "utf8");
    this.#length += bytes;
    return this;
  }

  /** Seven bits a byte, the lowest first. */
  uvarint(value: number): this {
    this.#room(5);
    let left = value >>> 0;
    while (left > 127) {
      this.#buffer[this.#length++] = (left & 127) | 128;
      left >>>= 7;
    }
    this.#buffer[this.#length++] = left;
    return this;
  }

  /** Of 32 bits, the sign in the lowest one. */
  varint(value: number): this {
    return this.uvarint((value << 1) ^ (value >> 31));
  }

  /** Strings, arrays and the rest as newer versions of requests have them: one more than their length comes first. */
  compactString(value: string): this {
    const bytes = Buffer.byteLength(value);
    return this.uvarint(bytes + 1).utf8(value, bytes);
  }

  compactArray<T>(values: readonly T[], write: (value: T) => void): this {
    this.uvarint(values.length + 1);
    for (const value of values) write(value);
    return this;
  }

  /** No tagged fields. */
  untagged(): this {
    return this.int8(0);
  }
}

/** How many bytes `varint` takes. */
export function varintSize(value: number): number {
  let left = ((value << 1) ^ (value >> 31)) >>> 0;
  let size = 1;
  while (left > 127) {
    left >>>= 7;
    size += 1;
  }
  return size;
}
