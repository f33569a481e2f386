import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import type { DeclaredSubscription } from "../engine/subscription-options.ts";
import { ConfigError, type ConfigProblem, problem } from "../errors/config-error.ts";
import type { Own } from "../resiliency/own.ts";
import type { BreakerPolicy, PublishPolicy } from "../resiliency/policy.ts";
import type { RuntimeSettings } from "../runtime/settings.ts";
import type { LogLevel } from "../telemetry/log.ts";
import { checkAddresses } from "./addresses.ts";
import { check } from "./check.ts";
import { checkSubscriptions, configureComponents } from "./components.ts";
import { fromDapr, isDapr } from "./dapr.ts";
import type { Documents } from "./document.ts";
import { fileTrouble } from "./file-trouble.ts";
import { parseJson } from "./json.ts";
import { fromMosn, isMosn } from "./mosn.ts";
import { appIdOf, type Overrides, override } from "./overrides.ts";
import { type Settings, schema } from "./schema.ts";
import { resolveSecrets } from "./secrets.ts";
import { child, plain, type Tree } from "./tree.ts";
import { type Environment, fillIn } from "./variables.ts";

/** Where to look, and what stands above the file. */
export interface LoadOptions {
  /** As `-c` names it. */
  readonly file?: string;
  readonly env: Environment;
  readonly cwd: string;
  /** Use the embedded broker and no file, also away from a terminal. */
  readonly embedded: boolean;
  /** On a terminal the embedded broker stands in for a missing file. */
  readonly isTerminal: boolean;
  readonly overrides: Overrides;
}

export interface LoadedConfig {
  readonly settings: Omit<RuntimeSettings, "version" | "compiled">;
  readonly logLevel: LogLevel;
  /** The file as it was named, or what stands in its place. */
  readonly source: string;
  /** What the user should know, in sentences, none of which stops the start. */
  readonly notices: readonly string[];
}

const PLACES = ["configs/config.json", "layotto.yaml"];
const EMBEDDED = '{"pubsubs":{"pubsub":{"type":"embedded"}}}';

/** Reads and checks a configuration whole. Rejects with a `ConfigError` that tells every mistake; nothing has been opened then. */
export async function loadConfig(options: LoadOptions): Promise<LoadedConfig> {
  const { env, cwd, overrides } = options;
  const { source, files } = findFiles(options);
  const problems: ConfigProblem[] = [];
  const notices: string[] = [];
  const documents = await Promise.all(files.map(documentsOf));
  problems.push(...documents.flatMap((one) => one.problems));
  const [written, ...others] = documents.flatMap((one) => one.trees);
  if (problems.length === 0 && !written) problems.push(problem("CONFIG_EMPTY", { source }, {}, "a configuration"));
  const dapr = written !== undefined && [written, ...others].every(isDapr);
  if (others[0] && !dapr) problems.push(problem("CONFIG_SYNTAX", others[0].at, { what: "a second document" }, "one document"));
  if (!written || problems.length > 0) throw new ConfigError(problems);

  const appId = appIdOf(overrides, env);
  const mosn = !dapr && isMosn(written);
  const filled = fillIn(written, env, problems);
  const all = [filled, ...others.map((one) => fillIn(one, env, problems))] as const;
  const own = dapr
    ? fromDapr(all, { appId: appId ?? "app1", env }, notices, problems)
    : mosn
      ? fromMosn(filled, notices, problems)
      : filled;
  const tree = withSecrets(own, { env, file: resolve(cwd, files[0]?.source ?? source) }, problems);
  const settings = problems.length > 0 && mosn && tree === filled ? undefined : check(schema, plain(tree), tree, problems);
  const pubsubs = await configureComponents(
    child(tree, "pubsubs"),
    appId ?? settings?.app.id ?? "",
    { lenient: mosn || dapr, notices },
    problems,
  );
  checkSubscriptions(tree, [...pubsubNames(tree)], pubsubs, problems);
  const final = settings && override(settings, overrides, env, problems, notices);
  if (final) checkAddresses(final, tree, problems);
  if (!final || problems.length > 0) throw new ConfigError(problems, notices);
  if (pubsubs.size === 0) notices.push("There is no pub/sub component: nothing can be published, and nothing is read.");
  const publishing = [...pubsubs].map(([name, one]) => [name, { ...one, ...publishedTo(final.pubsubs[name]) }] as const);
  return { settings: { ...runtimeSettings(final, cwd), pubsubs: new Map(publishing) }, logLevel: final.log.level, source, notices };
}

interface Found {
  /** As it was named. */
  readonly source: string;
  readonly files: readonly { readonly source: string; readonly text: string }[];
}

function findFiles({ file, env, cwd, embedded, isTerminal }: LoadOptions): Found {
  const standIn = { source: "(embedded)", files: [{ source: "(embedded)", text: EMBEDDED }] };
  if (embedded && file === undefined) return standIn;
  const named = file ?? (env.RUNTIME_CONFIG || undefined) ?? PLACES.find((one) => existsSync(resolve(cwd, one)));
  if (named !== undefined) return { source: named, files: read(named, cwd) };
  if (isTerminal) return standIn;
  const files = `-c FILE, RUNTIME_CONFIG, ${PLACES.join(", ")}`;
  throw new ConfigError([problem("CONFIG_NONE_FOUND", { source: "configuration" }, { files }, "one of these, or --embedded")]);
}

/** A file, or those of a directory that Dapr would read there. */
function read(source: string, cwd: string): Found["files"] {
  const path = resolve(cwd, source);
  const isDirectory = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (!isDirectory) return [{ source, text: readText(path, source) }];
  const names = readdirSync(path)
    .filter((name) => /\.ya?ml$/.test(name))
    .sort();
  if (names.length > 0) return names.map((name) => ({ source: join(source, name), text: readText(join(path, name), join(source, name)) }));
  throw unreadable(source, "a directory without a .yaml file");
}

async function documentsOf({ source, text }: Found["files"][number]): Promise<Documents> {
  const tree = parseJson(text, source);
  if (tree) return { trees: [tree], problems: [] };
  const { parseDocuments } = await import("./document.ts");
  return parseDocuments(text, source);
}

function readText(path: string, source: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (!(error instanceof Error && "code" in error)) throw error;
    throw unreadable(source, fileTrouble(String(error.code)));
  }
}

function unreadable(source: string, reason: string): ConfigError {
  return new ConfigError([problem("CONFIG_UNREADABLE", { source }, { reason }, "a file of JSON or YAML that can be read")]);
}

function withSecrets(tree: Tree, sources: Parameters<typeof resolveSecrets>[1], problems: ConfigProblem[]): Tree {
  const pubsubs = child(tree, "pubsubs");
  if (tree.kind !== "map" || pubsubs?.kind !== "map") return tree;
  const entries = [...pubsubs.entries].map(([name, one]): [string, Tree] => {
    const metadata = child(one, "metadata");
    if (one.kind !== "map" || !metadata) return [name, one];
    return [name, { ...one, entries: new Map([...one.entries, ["metadata", resolveSecrets(metadata, sources, problems)]]) }];
  });
  return { ...tree, entries: new Map([...tree.entries, ["pubsubs", { ...pubsubs, entries: new Map(entries) }]]) };
}

function pubsubNames(tree: Tree): Iterable<string> {
  const pubsubs = child(tree, "pubsubs");
  return pubsubs?.kind === "map" ? pubsubs.entries.keys() : [];
}

function runtimeSettings(settings: Settings, cwd: string): Omit<LoadedConfig["settings"], "pubsubs"> {
  const { app, listen, publish, delivery, subscriptions } = settings;
  return {
    appId: app.id,
    appAddress: app.address,
    grpcAddresses: listen.grpc,
    httpAddress: listen.http,
    metricsAddress: listen.metrics,
    subscriptions: subscriptions.map(declared),
    dataDir: resolve(cwd, settings.dataDir ?? ".layotto"),
    shutdownTimeoutMs: settings.shutdown.timeout,
    maxMessageBytes: publish.maxMessage,
    readiness: settings.health.readiness,
    publish: {
      timeoutMs: publish.timeout,
      duplicates: publish.duplicates,
      retry: { ...retryPolicy(publish.retry), maxFailures: publish.retry.maxFailures ?? Number.POSITIVE_INFINITY },
      breaker: publish.breaker && breakerPolicy(publish.breaker),
      rate: publish.rate,
    },
    publishBuffer: publish.buffer,
    ...(publish.maxBatch === undefined ? {} : { maxBatch: publish.maxBatch }),
    deliveryBuffer: delivery.buffer,
    delivery: {
      maxInFlight: delivery.maxInFlight,
      maxPending: delivery.maxPending,
      maxPendingBytes: delivery.maxPendingBytes,
      processingTimeoutMs: delivery.processingTimeout,
      retry: retryPolicy(delivery.retry),
      breaker: delivery.breaker && breakerPolicy(delivery.breaker),
      rate: delivery.rate,
    },
  };
}

function declared(one: Settings["subscriptions"][number]): DeclaredSubscription {
  const { retry, breaker, maxInFlight, maxPending, processingTimeout, rate, ...rest } = one;
  const own = {
    maxInFlight,
    maxPending,
    processingTimeoutMs: processingTimeout,
    rate,
    retry: retry && withoutUndefined(retryPolicy(retry)),
    breaker: breaker && breakerPolicy(breaker),
  };
  return { ...withoutUndefined(rest), policy: withoutUndefined(own) };
}

function publishedTo({ publish }: Partial<Settings["pubsubs"][string]> = {}): { readonly publish?: Own<PublishPolicy> } {
  if (!publish) return {};
  const { timeout, retry, breaker, ...rest } = publish;
  const own = {
    ...rest,
    timeoutMs: timeout,
    retry: retry && withoutUndefined(retryPolicy(retry)),
    breaker: breaker && breakerPolicy(breaker),
  };
  return { publish: withoutUndefined(own) };
}

/** From the words of the file to those of the engine. */
function retryPolicy<T extends { readonly first?: number | undefined; readonly most?: number | undefined }>({ first, most, ...rest }: T) {
  return { firstMs: first as T["first"], mostMs: most as T["most"], ...rest };
}

function breakerPolicy({ failures, pause }: { readonly failures: number; readonly pause: number }): BreakerPolicy {
  return { failures, pauseMs: pause };
}

/** Absent and undefined are different things to the compiler, and the schema makes the latter of the former. */
function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> };
}
