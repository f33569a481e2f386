import { DynamicTable, ENTRY_OVERHEAD } from "./dynamic-table.ts";
import { STATIC_COUNT, STATIC_FIELDS } from "./static-table.ts";

interface Indexed {
  /** By value: what tells where it is. */
  readonly values: Map<string, number>;
  /** That of an entry which has the name. */
  any: number;
}

/** The static table by name; what it tells is the index. */
const FIXED = new Map<string, Indexed>();
for (let index = STATIC_COUNT; index > 0; index--) {
  put(FIXED, STATIC_FIELDS[index * 2] as string, STATIC_FIELDS[index * 2 + 1] as string, index);
}

/** An encoder's view of both tables: from a field to its index. */
export class FieldIndex {
  /** The dynamic table by name; what it tells is how many entries had been added with this one, since indexes shift. */
  readonly #own = new Map<string, Indexed>();
  #added = 0;
  readonly #table: DynamicTable;

  constructor(maxTableBytes: number) {
    this.#table = new DynamicTable(maxTableBytes, (name, value) => this.#forget(name, value));
  }

  get maxTableBytes(): number {
    return this.#table.maxBytes;
  }

  /** The index of an entry with this name and value; 0 if there is none. */
  field(name: string, value: string): number {
    const fixed = FIXED.get(name)?.values.get(value);
    if (fixed !== undefined) return fixed;
    const nth = this.#own.get(name)?.values.get(value);
    return nth === undefined ? 0 : this.#indexOf(nth);
  }

  /** The index of an entry with this name, a static one if there is; 0 if there is none. */
  name(name: string): number {
    const fixed = FIXED.get(name);
    if (fixed !== undefined) return fixed.any;
    const own = this.#own.get(name);
    return own === undefined ? 0 : this.#indexOf(own.any);
  }

  /** True if the dynamic table has room for such an entry once others are evicted. */
  fits(name: string, value: string): boolean {
    return name.length + value.length + ENTRY_OVERHEAD <= this.#table.maxBytes;
  }

  /** Adds a field that is in neither table and fits. */
  add(name: string, value: string): void {
    this.#table.add(name, value);
    put(this.#own, name, value, ++this.#added);
  }

  resize(maxTableBytes: number): void {
    this.#table.resize(maxTableBytes);
  }

  #indexOf(nth: number): number {
    return STATIC_COUNT + 1 + this.#added - nth;
  }

  #forget(name: string, value: string): void {
    const own = this.#own.get(name);
    if (own === undefined) return;
    own.values.delete(value);
    // Entries leave in the order of their coming, so `any`, the newest of the name, is the last that goes.
    if (own.values.size === 0) this.#own.delete(name);
  }
}

function put(to: Map<string, Indexed>, name: string, value: string, where: number): void {
  const indexed = to.get(name);
  if (indexed === undefined) {
    to.set(name, { values: new Map([[value, where]]), any: where });
  } else {
    indexed.values.set(value, where);
    indexed.any = where;
  }
}
