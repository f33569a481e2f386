import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type YAMLError } from "yaml";
import { type ConfigProblem, type Place, problem } from "../errors/config-error.ts";
import { MOST_LEVELS, MOST_NODES, type Path, scalarOf, type Tree } from "./tree.ts";

/** What a file of JSON or YAML holds: a tree a document, or what is wrong with it. */
export interface Documents {
  readonly trees: readonly Tree[];
  readonly problems: readonly ConfigProblem[];
}

/** The parser's own texts quote the file, which may hold secrets; these do not. */
const SYNTAX = {
  MISSING_CHAR: ["a character that does not fit", "a comma, a colon, a quote or a bracket that closes what was opened before"],
  TAB_AS_INDENT: ["a tab as indentation", "spaces"],
  BAD_INDENT: ["an indentation that does not fit, or a bracket that is never closed", "the lines of one group under one another"],
  BLOCK_AS_IMPLICIT_KEY: ["a second key on one line", "one key a line, or the value in quotes"],
  BAD_DQ_ESCAPE: ["an unknown escape in a quoted text", 'one of those of JSON, such as \\n or \\"; a backslash itself is \\\\'],
  BAD_ALIAS: ["an alias without its anchor", "an anchor of that name before it"],
  RESOURCE_EXHAUSTION: ["too many values, or groups nested too deeply", "a configuration, whose aliases do not repeat themselves"],
} as const satisfies Readonly<Record<string, readonly [found: string, expected: string]>>;
const OTHER_SYNTAX = ["something that is neither JSON nor YAML", "a group of keys, each with its value"] as const;
const VARIABLE_IN_BRACES = ["${…} without quotes", 'quotes around it: "${NAME}"'] as const;

export function parseDocuments(text: string, source: string): Documents {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, strict: true });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { source, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const problems: ConfigProblem[] = [];
  const trees: Tree[] = [];
  for (const document of documents) {
    const found = errorsOf(document, text, at);
    problems.push(...found);
    if (found.length > 0 || document.contents === null) continue;
    const tree = new Builder(document, text, at, problems).build();
    if (tree) trees.push(tree);
  }
  return { trees, problems };
}

/** Every duplicate key, but only the first of the other errors: what follows from it would be noise. */
function errorsOf(document: Document.Parsed, text: string, at: (offset: number) => Place): ConfigProblem[] {
  const errors: YAMLError[] = document.errors;
  const first = errors.find((error) => error.code !== "DUPLICATE_KEY");
  if (!first) return errors.map(({ pos }) => duplicate(text, pos[0], at));
  const [found, expected] = unquotedVariable(text, first.pos[0])
    ? VARIABLE_IN_BRACES
    : first.code in SYNTAX
      ? SYNTAX[first.code as keyof typeof SYNTAX]
      : OTHER_SYNTAX;
  return [problem("CONFIG_SYNTAX", at(first.pos[0]), { what: found }, expected)];
}

function duplicate(text: string, offset: number, at: (offset: number) => Place): ConfigProblem {
  const key = /^(?:"([^"\n]*)"|'([^'\n]*)'|([^\s:,{}]*))/.exec(text.slice(offset, offset + 200));
  return problem("CONFIG_DUPLICATE_KEY", at(offset), { key: key?.[1] ?? key?.[2] ?? key?.[3] ?? "" }, "each key once");
}

/** `{ address: ${NAME} }`: YAML takes the brace for a group of its own. */
function unquotedVariable(text: string, offset: number): boolean {
  return text.slice(0, offset).endsWith("$") && text[offset] === "{";
}

class Builder {
  readonly #document: Document.Parsed;
  readonly #text: string;
  readonly #at: (offset: number) => Place;
  readonly #problems: ConfigProblem[];
  #nodes = 0;
  #refused = false;

  constructor(document: Document.Parsed, text: string, at: (offset: number) => Place, problems: ConfigProblem[]) {
    this.#document = document;
    this.#text = text;
    this.#at = at;
    this.#problems = problems;
  }

  /** Undefined after a problem. */
  build(): Tree | undefined {
    const before = this.#problems.length;
    const tree = this.#node(this.#document.contents, [], undefined);
    return this.#problems.length === before ? tree : undefined;
  }

  #node(node: unknown, path: Path, key: Place | undefined): Tree {
    const range = (node as { range?: readonly number[] | null } | null)?.range;
    const valueAt = range?.[0] === undefined ? (key ?? this.#at(0)) : this.#at(range[0]);
    const at = key ?? valueAt;
    const nothing = { kind: "scalar", path, at, valueAt, value: null, written: "" } as const;
    this.#nodes += 1;
    if (this.#nodes > MOST_NODES || path.length > MOST_LEVELS) {
      this.#refuse("RESOURCE_EXHAUSTION", at);
      return nothing;
    }
    if (isAlias(node)) {
      const target = node.resolve(this.#document);
      if (target) return this.#node(target, path, key);
      this.#refuse("BAD_ALIAS", valueAt);
      return nothing;
    }
    if (isMap(node)) return { kind: "map", path, at, entries: this.#entries(node.items, path) };
    if (isSeq(node))
      return { kind: "list", path, at, items: node.items.map((item, index) => this.#node(item, [...path, index], undefined)) };
    if (!isScalar(node)) return nothing;
    const written = typeof node.value === "string" ? node.value : this.#text.slice(range?.[0] ?? 0, range?.[1] ?? 0);
    return { kind: "scalar", path, at, valueAt, value: scalarOf(node.value, written), written };
  }

  /** Once: what an alias repeats is repeated wrongly. */
  #refuse(code: keyof typeof SYNTAX, at: Place): void {
    if (this.#refused) return;
    this.#refused = true;
    const [what, expected] = SYNTAX[code];
    this.#problems.push(problem("CONFIG_SYNTAX", at, { what }, expected));
  }

  #entries(items: readonly { key: unknown; value: unknown }[], path: Path): Map<string, Tree> {
    const entries = new Map<string, Tree>();
    for (const { key, value } of items) {
      const at = this.#at(isScalar(key) ? (key.range?.[0] ?? 0) : 0);
      const name = isScalar(key) && (typeof key.value === "string" || typeof key.value === "number") ? String(key.value) : undefined;
      if (name === undefined) {
        this.#problems.push(problem("CONFIG_SYNTAX", at, { what: "a key that is not a name" }, "text as the key"));
      } else entries.set(name, this.#node(value, [...path, name], at));
    }
    return entries;
  }
}
