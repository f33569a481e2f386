import { BlockReader } from "./block-reader.ts";
import { DynamicTable, ENTRY_OVERHEAD } from "./dynamic-table.ts";
import { HpackError } from "./errors.ts";
import { SeenBlocks } from "./seen-blocks.ts";
import { STATIC_COUNT, STATIC_FIELDS } from "./static-table.ts";

/**
 * A list this many times bigger than `maxListBytes` ends the connection: a byte can stand for a field as big as the table, and a peer
 * that goes so far beyond what it was told means harm.
 */
export const BOMB_FACTOR = 64;

/** SETTINGS_HEADER_TABLE_SIZE of a connection on which nobody said anything (RFC 9113 6.5.2). */
const DEFAULT_TABLE_BYTES = 4096;

const DEFAULT_LIST_BYTES = 16384;

/**
 * Turns a decoded list into what the caller wants of it. `fields` is flat: name, value, name, value; strings are latin1, one character
 * a byte. `tooLarge`: the list is beyond `maxListBytes`, and the fields from there on were left out.
 */
export type Interpret<View> = (fields: string[], tooLarge: boolean) => View;

interface DecoderOptions<View> {
  interpret: Interpret<View>;
  /**
   * The SETTINGS_HEADER_TABLE_SIZE that we announced, in bytes; 4096 unless told. The table is at most 4096 until the peer asks for
   * more. With less, a peer that sends before it has seen our settings, and so counts on 4096, may be misunderstood.
   */
  maxTableBytes?: number;
  /** The most a list may be, in bytes, where a field counts its name, its value and 32 (RFC 9113 6.5.2); 16384 unless told. */
  maxListBytes?: number;
}

/** The decoder of one direction of a connection. It must be given every block of it, in order. */
export class HpackDecoder<View> {
  readonly #interpret: Interpret<View>;
  readonly #maxTableBytes: number;
  readonly #maxListBytes: number;
  readonly #table: DynamicTable;
  readonly #reader = new BlockReader();
  readonly #seen = new SeenBlocks<View>();

  constructor(options: DecoderOptions<View>) {
    this.#interpret = options.interpret;
    this.#maxTableBytes = options.maxTableBytes ?? DEFAULT_TABLE_BYTES;
    this.#maxListBytes = options.maxListBytes ?? DEFAULT_LIST_BYTES;
    this.#table = new DynamicTable(Math.min(this.#maxTableBytes, DEFAULT_TABLE_BYTES));
  }

  /**
   * Decodes the whole block buffer[start, end). One with the same bytes as one seen before gives the same View object, neither decoded
   * nor interpreted again, if the dynamic table has not changed since. Throws HpackError, after which the decoder must not be used; what
   * `interpret` throws comes through and does no harm.
   */
  decode(buffer: Buffer, start: number, end: number): View {
    const before = this.#table.changes;
    const seen = this.#seen.find(buffer, start, end, before);
    if (seen !== undefined) return seen.view;
    const fields: string[] = [];
    this.#reader.open(buffer, start, end);
    const tooLarge = this.#fields(fields);
    this.#reader.close();
    const view = this.#interpret(fields, tooLarge);
    if (this.#table.changes === before) this.#seen.keep(buffer, start, end, before, view);
    return view;
  }

  /** Reads the block into `fields`; true if some were left out. */
  #fields(fields: string[]): boolean {
    const reader = this.#reader;
    const table = this.#table;
    const maxBytes = this.#maxListBytes;
    let listBytes = 0;
    while (reader.at < reader.end) {
      const first = reader.byte();
      let name: string;
      let value: string;
      if (first >= 0x80) {
        // Indexed (RFC 7541 6.1).
        const index = reader.integer(first, 0x7f);
        if (index <= STATIC_COUNT) {
          if (index === 0) throw new HpackError("a field has the index 0");
          name = STATIC_FIELDS[index * 2] as string;
          value = STATIC_FIELDS[index * 2 + 1] as string;
        } else {
          const own = index - STATIC_COUNT;
          if (own > table.count) throw beyond(index);
          name = table.name(own);
          value = table.value(own);
        }
      } else if (first >= 0x40) {
        // A literal to be indexed (6.2.1).
        name = this.#name(reader.integer(first, 0x3f));
        value = reader.string();
        table.add(name, value);
      } else if (first >= 0x20) {
        this.#resize(reader.integer(first, 0x1f), listBytes > 0);
        continue;
      } else {
        // A literal not indexed or never to be (6.2.2, 6.2.3).
        name = this.#name(reader.integer(first, 0x0f));
        value = reader.string();
      }
      listBytes += name.length + value.length + ENTRY_OVERHEAD;
      if (listBytes <= maxBytes) fields.push(name, value);
      else if (listBytes > maxBytes * BOMB_FACTOR) throw new HpackError("a list of fields is far beyond the limit");
    }
    return listBytes > maxBytes;
  }

  /** The name of a literal: that of `index`, or for 0 the string that comes next. */
  #name(index: number): string {
    if (index === 0) return this.#reader.string();
    if (index <= STATIC_COUNT) return STATIC_FIELDS[index * 2] as string;
    if (index - STATIC_COUNT > this.#table.count) throw beyond(index);
    return this.#table.name(index - STATIC_COUNT);
  }

  /** A dynamic table size update (6.3), which must come before the first field (4.2). */
  #resize(bytes: number, late: boolean): void {
    if (late) throw new HpackError("the table is resized after a field");
    if (bytes > this.#maxTableBytes) throw new HpackError(`the table is resized to ${bytes} bytes, and ${this.#maxTableBytes} are allowed`);
    this.#table.resize(bytes);
  }
}

function beyond(index: number): HpackError {
  return new HpackError(`a field has the index ${index}, which the tables do not have`);
}
