import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type ConfigProblem, problem } from "../errors/config-error.ts";
import { fileTrouble } from "./file-trouble.ts";
import { placeOf, type ScalarNode, type Tree } from "./tree.ts";
import type { Environment } from "./variables.ts";

const FORMS = "{ secret: env:NAME }, { secret: file:PATH } or { secret: json:PATH#KEY }";

/** Where secrets are looked for. */
export interface SecretSources {
  readonly env: Environment;
  /** Relative paths are relative to the configuration's folder. */
  readonly file: string;
}

/** Replaces every `{ secret: … }` in `metadata` by what it points to. The value never appears in an error. */
export function resolveSecrets(metadata: Tree, sources: SecretSources, problems: ConfigProblem[]): Tree {
  if (metadata.kind !== "map") return metadata;
  const entries = [...metadata.entries].map(([key, node]) => [key, resolveOne(node, sources, problems)] as const);
  return { ...metadata, entries: new Map(entries) };
}

function resolveOne(node: Tree, sources: SecretSources, problems: ConfigProblem[]): Tree {
  const reference = node.kind === "map" && node.entries.size === 1 ? node.entries.get("secret") : undefined;
  if (reference?.kind !== "scalar" || typeof reference.value !== "string") return node;
  const found = look(reference.value, sources);
  const scalar: ScalarNode = { ...reference, path: node.path, at: node.at, written: reference.written, from: "secret" };
  if (typeof found === "string") return { ...scalar, value: found };
  const { reason, expected = FORMS } = found;
  problems.push(problem("CONFIG_SECRET", placeOf(reference), { reference: reference.value, reason }, expected));
  return { ...scalar, value: null, broken: true };
}

/** What other forms say about a secret store, as our own form writes it: `env:NAME` or `json:PATH#KEY`. */
export function secretReference(storeType: string | undefined, file: string | undefined, steps: readonly (string | undefined)[]): string {
  const path = steps.filter((step) => step !== undefined && step !== "");
  const type = storeType?.replace(/^secretstores\./, "");
  if (type === "local.env") return `env:${path[0] ?? ""}`;
  if (type === "local.file") return `json:${file ?? ""}#${path.join("/")}`;
  return `${type ?? "unknown-store"}:${path.join("/")}`;
}

interface Missing {
  readonly reason: string;
  /** Default: the forms that there are. */
  readonly expected?: string;
}

function look(reference: string, { env, file }: SecretSources): string | Missing {
  const [, kind, rest = ""] = /^(env|file|json):(.+)$/s.exec(reference) ?? [];
  if (kind === undefined) return { reason: "only env:, file: and json: are read" };
  if (kind === "env") {
    const value = Object.hasOwn(env, rest) ? env[rest] : undefined;
    return value ?? { reason: "the variable is not set", expected: `a value for ${rest} in the environment of the sidecar` };
  }
  const hash = kind === "json" ? rest.indexOf("#") : rest.length;
  if (hash < 0) return { reason: "the key is missing after #" };
  try {
    const text = readFileSync(resolve(dirname(file), rest.slice(0, hash)), "utf8");
    return kind === "file" ? text.replace(/\r?\n$/, "") : keyOf(text, rest.slice(hash + 1));
  } catch (error) {
    // Only the code: a parser's text quotes the file.
    return { reason: error instanceof Error && "code" in error ? fileTrouble(String(error.code)) : "the file is not JSON" };
  }
}

function keyOf(text: string, key: string): string | Missing {
  let value: unknown = JSON.parse(text);
  for (const step of key.split("/"))
    value = typeof value === "object" && value !== null ? Object.entries(value).find(([name]) => name === step)?.[1] : undefined;
  return typeof value === "string" || typeof value === "number" ? String(value) : { reason: "the file has no such key" };
}
