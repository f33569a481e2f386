/** Names that gRPC and HTTP/2 use themselves, or do not allow (RFC 9113 section 8.2.2): they are no metadata. */
const RESERVED = /^(?::|grpc-|(?:te|content-type|content-length|connection|proxy-connection|keep-alive|transfer-encoding|upgrade)$)/;
const NAME = /^[0-9a-z_.-]+$/;
/** Blanks at either end are not allowed in HTTP/2 (section 8.2.1). */
const TEXT = /^(?! )[\x20-\x7e]*(?<! )$/;

export type MetadataEntry = readonly [name: string, value: string | Uint8Array];

/**
 * What travels beside the messages of a call: names in lower case, each with one value or more. Names that end in `-bin` have bytes, others
 * printable ASCII. It never changes.
 */
export class Metadata implements Iterable<MetadataEntry> {
  static readonly EMPTY = new Metadata();
  #entries: readonly MetadataEntry[];

  /** Throws a TypeError for a name or a value that gRPC does not allow ("Custom-Metadata" in its HTTP/2 protocol). */
  constructor(entries: Iterable<MetadataEntry> = []) {
    this.#entries = [...entries].map(([name, value]) => [name.toLowerCase(), value]);
    for (const [name, value] of this.#entries) {
      if (!NAME.test(name) || RESERVED.test(name)) throw new TypeError(`The metadata name ${JSON.stringify(name)} is not allowed.`);
      if (name.endsWith("-bin") !== (typeof value !== "string")) {
        throw new TypeError(
          `The metadata ${name} has ${typeof value === "string" ? "text" : "bytes"}: names that end in -bin have bytes, others text.`,
        );
      }
      if (typeof value === "string" && !TEXT.test(value))
        throw new TypeError(`The metadata ${name} has a character that is not printable ASCII, or a blank at an end.`);
    }
  }

  /** Of a header list as it came: flat, name and value in turn, from `start` on. */
  static fromFields(fields: readonly string[], start: number): Metadata {
    const entries: MetadataEntry[] = [];
    for (let at = start; at < fields.length; at += 2) {
      const name = fields[at] as string;
      const value = fields[at + 1] as string;
      if (RESERVED.test(name)) continue;
      // Several values of one name may have been joined on the way; base64 has no comma.
      if (name.endsWith("-bin")) for (const part of value.split(",")) entries.push([name, Buffer.from(part, "base64")]);
      else entries.push([name, value]);
    }
    if (entries.length === 0) return Metadata.EMPTY;
    // Not checked as ours are: what a peer sends is shown as it is.
    const metadata = new Metadata();
    metadata.#entries = entries;
    return metadata;
  }

  /** The first value of a name; undefined: there is none, or it has bytes. */
  get(name: string): string | undefined {
    const value = this.#find(name);
    return typeof value === "string" ? value : undefined;
  }

  /** The first value of a name that ends in `-bin`. */
  bytes(name: string): Uint8Array | undefined {
    const value = this.#find(name);
    return typeof value === "string" ? undefined : value;
  }

  get size(): number {
    return this.#entries.length;
  }

  [Symbol.iterator](): Iterator<MetadataEntry> {
    return this.#entries[Symbol.iterator]();
  }

  #find(name: string): string | Uint8Array | undefined {
    return this.#entries.find(([one]) => one === name)?.[1];
  }
}
