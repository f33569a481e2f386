import { type ErrorId, sentence } from "./catalogue.ts";
import type { ErrorCode } from "./code.ts";

export type ConfigErrorId = Extract<ErrorId, `CONFIG_${string}`>;

/** Where a mistake stands. */
export interface Place {
  /** A file as it was named, or what else the value came from: `--grpc-port`, `LAYOTTO_GRPC_PORT`. */
  readonly source: string;
  /** Both from 1. Absent when the mistake has no line, as a file that cannot be read. */
  readonly line?: number;
  readonly column?: number;
  /** `pubsubs.orders.metadata.redisHost` */
  readonly path?: string;
}

/** One mistake. No part of it holds the value of a secret. */
export interface ConfigProblem {
  readonly id: ConfigErrorId;
  readonly place: Place;
  readonly found: string;
  readonly expected: string;
}

/** A mistake of the catalogue: what was found is the entry's text, filled in with `values`. */
export function problem(
  id: ConfigErrorId,
  place: Place,
  values: Readonly<Record<string, string | number>>,
  expected: string,
): ConfigProblem {
  return { id, place, found: sentence(id, values), expected };
}

/** All mistakes of a configuration, in the order in which they stand there, and what may have led to them. Nothing was started. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly code: ErrorCode = "invalid_argument";
  readonly problems: readonly ConfigProblem[];

  /** `notices`: what the user should know beside, in sentences. */
  constructor(problems: readonly ConfigProblem[], notices: readonly string[] = []) {
    const inOrder = problems.toSorted((a, b) => (a.place.line ?? 0) - (b.place.line ?? 0) || (a.place.column ?? 0) - (b.place.column ?? 0));
    super([...inOrder.map(formatProblem), ...notices.map((notice) => `note: ${notice}`)].join("\n\n"));
    this.problems = inOrder;
  }

  /** For people: each mistake in three lines, an empty line between two; behind them the notices. */
  format(): string {
    return this.message;
  }
}

function formatProblem({ place, found, expected }: ConfigProblem): string {
  const position = place.line === undefined ? "" : `:${place.line}:${place.column ?? 1}`;
  const path = place.path ? `  ${place.path}` : "";
  return `${place.source}${position}${path}\n  found: ${found}\n  expected: ${expected}`;
}
