import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import { type ConfigProblem, problem } from "../errors/config-error.ts";
import { describe, keyPlace, nearestNode, type Path, placeOf, type Tree } from "./tree.ts";

/** Each schema is used once: code made for it would cost more than it saves. */
const JITLESS = { jitless: true };

/** Parses `value`, which was made of `tree`; undefined after problems, each told at its place in the file. */
export function check<T>(schema: z.ZodType<T, unknown>, value: unknown, tree: Tree, problems: ConfigProblem[]): T | undefined {
  const result = schema.safeParse(value, JITLESS);
  if (result.success) return result.data;
  const misspelt = new Set(result.error.issues.flatMap((issue) => meantBy(issue, schema)));
  for (const issue of result.error.issues) problems.push(...problemsOf(issue, schema, tree, misspelt));
  return undefined;
}

/** The paths of the keys that unknown ones were meant to be. */
function meantBy(issue: z.core.$ZodIssue, schema: z.ZodType): string[] {
  if (issue.code !== "unrecognized_keys") return [];
  const path = issue.path.filter((step) => typeof step !== "symbol");
  const known = keysAt(schema, path);
  return issue.keys.map((key) => JSON.stringify([...path, closestTo(key, known)]));
}

/** More keys than a person reads in an error. */
const MANY_KEYS = 12;

function problemsOf(issue: z.core.$ZodIssue, schema: z.ZodType, tree: Tree, misspelt: ReadonlySet<string>): ConfigProblem[] {
  const path = issue.path.filter((step) => typeof step !== "symbol");
  const { node, missing } = nearestNode(tree, path);
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(schema, path);
    const listed = known.length > MANY_KEYS ? `one of the ${known.length} keys in docs/configuration.md` : `one of ${known.join(", ")}`;
    return issue.keys.map((key) => {
      const place = keyPlace(nearestNode(tree, [...path, key]).node);
      return problem("CONFIG_UNKNOWN_KEY", place, { key }, `${listed}${nearest(key, known)}`);
    });
  }
  const expected = expectedBy(issue);
  // One value may stand where a list is wanted.
  const stands = node.kind === "scalar" && node.value !== null;
  if (missing.length > 0 && !stands) {
    // A key that is missing because it is misspelt is one mistake, told where it stands.
    return misspelt.has(JSON.stringify(path)) ? [] : [problem("CONFIG_MISSING", placeOf(node, missing), {}, expected)];
  }
  if (node.kind === "scalar" && node.broken) return [];
  return [problem("CONFIG_VALUE", placeOf(node), { value: describe(node) }, expected)];
}

const KINDS: Readonly<Record<string, string>> = { object: "a group of keys", record: "a group of keys", array: "a list", string: "text" };

function expectedBy(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type") return KINDS[issue.expected] ?? issue.expected;
  return issue.message.replace(/^expected /, "");
}

/** `; did you mean "redisHost"?`, when one of `known` is near. */
export function nearest(key: string, known: readonly string[]): string {
  const found = closestTo(key, known);
  return found === undefined ? "" : `; did you mean "${found}"?`;
}

function closestTo(key: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const lower = new Map(known.map((one) => [one.toLowerCase(), one]));
  const found = closest(key.toLowerCase(), [...lower.keys()]);
  return distance(key.toLowerCase(), found) <= Math.max(2, Math.floor(key.length / 4)) ? lower.get(found) : undefined;
}

/** The keys that an object schema has at `path`. */
export function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  return Object.keys(inner(schemaAt(schema, path))?.def.shape ?? {});
}

/** The schema of the value at `path`; any name stands for a record's key or a list's index. */
export function schemaAt(schema: z.ZodType, path: Path): z.ZodType | undefined {
  let here: z.ZodType | undefined = schema;
  for (const step of path) {
    const def: Definition | undefined = inner(here)?.def;
    here = def?.shape ? def.shape[String(step)] : (def?.valueType ?? def?.element);
  }
  return here;
}

/** Whether a list stands at `path`. */
export function isList(schema: z.ZodType, path: Path): boolean {
  return inner(schemaAt(schema, path))?.def.element !== undefined;
}

interface Definition {
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly valueType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
}

/** Without the wrappings: defaults, transforms. */
function inner(schema: z.ZodType | undefined): { readonly def: Definition } | undefined {
  let here = schema as { readonly def: Definition } | undefined;
  while (here && !here.def.shape && !here.def.valueType && !here.def.element) {
    here = (here.def.innerType ?? here.def.in) as { readonly def: Definition } | undefined;
  }
  return here;
}
