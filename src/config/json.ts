import type { Place } from "../errors/config-error.ts";
import { MOST_LEVELS, MOST_NODES, type Path, scalarOf, type Tree } from "./tree.ts";

/** A line break, a text, a bracket or what separates, or another value: all there is in JSON but spaces. */
const TOKEN = /\n|"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/g;

/**
 * The tree of a file that is JSON without a fault. Undefined: it is something else, or has a fault, which `parseDocuments` can tell. Most
 * configurations are JSON, and reading one as YAML takes a tenth of a start.
 */
export function parseJson(text: string, source: string): Tree | undefined {
  try {
    JSON.parse(text);
  } catch {
    return undefined;
  }
  return new Reader(text, source).read();
}

/** Of a text that is known to be JSON: only where things stand is to be found out. */
class Reader {
  readonly #text: string;
  readonly #source: string;
  readonly #token = new RegExp(TOKEN);
  #line = 1;
  #lineStart = 0;
  #nodes = 0;
  #unfit = false;
  #next: { readonly text: string; readonly at: Place };

  constructor(text: string, source: string) {
    this.#text = text;
    this.#source = source;
    this.#next = this.#scan();
  }

  /** Undefined: a key is there twice, or there is too much of it. */
  read(): Tree | undefined {
    const tree = this.#node([], undefined);
    return this.#unfit ? undefined : tree;
  }

  #scan(): { readonly text: string; readonly at: Place } {
    for (;;) {
      const match = this.#token.exec(this.#text);
      const index = match?.index ?? this.#text.length;
      if (match?.[0] !== "\n")
        return { text: match?.[0] ?? "", at: { source: this.#source, line: this.#line, column: index - this.#lineStart + 1 } };
      this.#line += 1;
      this.#lineStart = index + 1;
    }
  }

  #take(): { readonly text: string; readonly at: Place } {
    const token = this.#next;
    this.#next = this.#scan();
    return token;
  }

  #node(path: Path, key: Place | undefined): Tree {
    const { text, at: valueAt } = this.#take();
    const at = key ?? valueAt;
    this.#nodes += 1;
    if (this.#nodes > MOST_NODES || path.length > MOST_LEVELS) this.#unfit = true;
    if (text === "{") return { kind: "map", path, at, entries: this.#entries(path) };
    if (text === "[") return { kind: "list", path, at, items: this.#items(path) };
    const value: unknown = this.#unfit ? null : JSON.parse(text);
    const written = typeof value === "string" ? value : text;
    return { kind: "scalar", path, at, valueAt, value: scalarOf(value, written), written };
  }

  #entries(path: Path): ReadonlyMap<string, Tree> {
    const entries = new Map<string, Tree>();
    while (!this.#unfit && this.#next.text !== "}") {
      const { text, at } = this.#take();
      const name = JSON.parse(text) as string;
      this.#take();
      if (entries.has(name)) this.#unfit = true;
      entries.set(name, this.#node([...path, name], at));
      if (this.#next.text === ",") this.#take();
    }
    this.#take();
    return entries;
  }

  #items(path: Path): readonly Tree[] {
    const items: Tree[] = [];
    while (!this.#unfit && this.#next.text !== "]") {
      items.push(this.#node([...path, items.length], undefined));
      if (this.#next.text === ",") this.#take();
    }
    this.#take();
    return items;
  }
}
