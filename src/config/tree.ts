import type { Place } from "../errors/config-error.ts";

/**
 * A configuration as it stands in its file: every node knows where it came from, so that a mistake found late, in whatever form the
 * file had, can still be shown at its line.
 */
export type Tree = MapNode | ListNode | ScalarNode;
export type Path = readonly (string | number)[];

interface Node {
  /** As in the file, also after the node was moved into another form. */
  readonly path: Path;
  /** Of its key, where it has one; else its own. */
  readonly at: Place;
}

export interface MapNode extends Node {
  readonly kind: "map";
  readonly entries: ReadonlyMap<string, Tree>;
}

interface ListNode extends Node {
  readonly kind: "list";
  readonly items: readonly Tree[];
}

export interface ScalarNode extends Node {
  readonly kind: "scalar";
  readonly value: Scalar;
  readonly valueAt: Place;
  /** As it is written in the file: with `${NAME}` where the value has what the variable holds. The only form that may be shown. */
  readonly written: string;
  /** Where the value came from, when not from the file itself. */
  readonly from?: "variable" | "secret";
  /** A mistake here was reported already. */
  readonly broken?: true;
}

export type Scalar = string | number | boolean | null;

/** More than any configuration has; aliases can multiply a small file without bound. */
export const MOST_NODES = 100_000;
export const MOST_LEVELS = 50;

/** A number that would not be written as it stands (`0123`, twenty digits) stays text: it may be a password. */
export function scalarOf(value: unknown, written: string): Scalar {
  if (typeof value === "string" || typeof value === "boolean" || value === null) return value;
  return typeof value === "number" && String(value) === written ? value : written;
}

function formatPath(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[\w-]+$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** The node at `path`, or the deepest one on the way there. */
export function nearestNode(root: Tree, path: Path): { node: Tree; missing: Path } {
  let node = root;
  for (const [index, step] of path.entries()) {
    const next = child(node, step);
    if (!next) return { node, missing: path.slice(index) };
    node = next;
  }
  return { node, missing: [] };
}

export function child(node: Tree | undefined, step: string | number): Tree | undefined {
  if (node?.kind === "map") return node.entries.get(String(step));
  return node?.kind === "list" ? node.items[Number(step)] : undefined;
}

/** Where a value stands, or the group in which a key is missing. */
export function placeOf(node: Tree, missing: Path = []): Place {
  return { ...(node.kind === "scalar" ? node.valueAt : node.at), path: formatPath([...node.path, ...missing]) };
}

export function keyPlace(node: Tree): Place {
  return { ...node.at, path: formatPath(node.path) };
}

/** A node as a sentence may name it. Text is cut, and passwords in addresses are left out. */
export function describe(node: Tree): string {
  if (node.kind === "map") return "a group of keys";
  if (node.kind === "list") return "a list";
  if (node.from === "secret") return "a value that is not shown";
  if (node.value === null) return "nothing";
  const text = withoutPassword(node.written);
  const short = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  const shown = typeof node.value === "string" ? JSON.stringify(short) : short;
  return node.from === "variable" ? `${shown}, filled in from the environment` : shown;
}

function withoutPassword(text: string): string {
  return text.replace(/(\/\/[^/@:\s]*:)[^@\s]*@/g, "$1***@");
}

/** As plain values, for a schema. Keys without a value are left out: `listen:` with nothing below it means the defaults. */
export function plain(node: Tree): unknown {
  if (node.kind === "list") return node.items.map(plain);
  if (node.kind === "scalar") return node.value;
  const entries = [...node.entries].map(([key, value]) => [key, plain(value)] as const);
  return Object.fromEntries(entries.filter(([, value]) => value !== null));
}

/** Its items, where it is a list; else none. */
export function itemsOf(node: Tree | undefined): readonly Tree[] {
  return node?.kind === "list" ? node.items : [];
}

/** Its text, where it is a value. */
export function textOf(node: Tree | undefined): string | undefined {
  return node?.kind === "scalar" && node.value !== null ? String(node.value) : undefined;
}

/** A group of those entries that are there, at the place of `like`. */
export function mapLike(like: Tree, entries: Readonly<Record<string, Tree | undefined>>): MapNode {
  const present = Object.entries(entries).filter((entry): entry is [string, Tree] => entry[1] !== undefined);
  return { kind: "map", path: like.path, at: like.at, entries: new Map(present) };
}

/** A value that stands for what is written at `like`. */
export function scalarLike(like: Tree, value: string): ScalarNode {
  const place = keyPlace(like);
  return { kind: "scalar", path: like.path, at: place, valueAt: place, value, written: value };
}
