import { hostname } from "node:os";
import { formatAddress, ListenError, listen, parseAddress, type Server } from "layotto-transport";
import { health } from "layotto-transport/health";
import { counting } from "../api/grpc/counting.ts";
import { described } from "../api/grpc/described.ts";
import { layotto } from "../api/grpc/layotto.ts";
import { actuator, type HealthStatus } from "../api/http/actuator.ts";
import { type HttpServer, serveHttp } from "../api/http/server.ts";
import { GrpcChannel } from "../app/grpc-channel.ts";
import { Engine } from "../engine/engine.ts";
import { CatalogueError } from "../errors/catalogue.ts";
import type { Clock } from "../pubsub/clock.ts";
import { systemClock } from "../pubsub/clock.ts";
import type { Calls } from "../telemetry/calls.ts";
import { LOG_LEVELS, type Logger } from "../telemetry/log.ts";
import { watchApp } from "./app-watch.ts";
import { liveness, readiness } from "./health.ts";
import { logged } from "./logged.ts";
import { metricsRoute } from "./metrics.ts";
import { Remembered } from "./remembered.ts";
import type { RuntimeSettings } from "./settings.ts";

/** What gRPC and the envelope need beside the payload. A message above the limit is told so by the engine up to twice the limit, beyond by the transport. */
const ENVELOPE_BYTES = 256 * 1024;

export interface Runtime {
  /** Where it really listens. */
  readonly grpc: readonly string[];
  readonly http: string;
  readonly metrics: string;
  readonly engine: Engine;
  /** Drains and stops (D8): within the shutdown timeout, losing nothing. Idempotent. */
  stop(): Promise<void>;
}

/** Wires everything. Rejects when an address cannot be had or a broker refuses for good; then nothing is left running. */
export async function startRuntime(settings: RuntimeSettings, log: Logger, clock: Clock = systemClock): Promise<Runtime> {
  const { appId, appAddress, dataDir, shutdownTimeoutMs } = settings;
  const remembered = new Remembered(dataDir, appId);
  const context = { appId, process: `${hostname()}:${process.pid}-${mark()}`, dataDir, clock };
  const sources = new Map(
    [...settings.pubsubs].map(([name, one]) => {
      const { group, reading = {}, publish = {} } = one;
      return [name, { pubsub: one.open({ ...context, name }), group, reading, publish }];
    }),
  );
  const channel = appAddress === undefined ? undefined : new GrpcChannel(appAddress);
  const [publishBuffer, deliveryBuffer] = [settings.publishBuffer, settings.deliveryBuffer].map((bytes) =>
    Math.min(bytes, memoryLimit() / 4),
  ) as [number, number];
  const options = { ...settings, publishBuffer, deliveryBuffer };
  const engine = new Engine(sources, channel, clock, options, logged(log, remembered, clock));
  let state: HealthStatus = "INIT";
  const grpcHealth = health();
  grpcHealth.set("", "NOT_SERVING");
  const listeners: (Server | HttpServer)[] = [];
  let unwatch: () => void = () => undefined;
  const close = async (signal: AbortSignal): Promise<void> => {
    unwatch();
    const closeListeners = () => Promise.all(listeners.map((one) => one.close(signal)));
    const steps = [() => engine.drain(signal), closeListeners, () => engine.close(signal)];
    for (const step of steps)
      await step().catch((error: unknown) => log.error({ reason: textOf(error) }, "not everything could be closed in time"));
  };
  try {
    const http = await serveHttp(
      required(settings.httpAddress),
      actuator({
        liveness,
        readiness: () => readiness(state, engine, settings.readiness),
        version: settings.version,
        compiled: settings.compiled,
        setLogLevel: (level) => setLevel(log, level),
      }),
    );
    listeners.push(http);
    const calls: Calls = new Map();
    const metrics = await serveHttp(required(settings.metricsAddress), metricsRoute(engine, calls));
    listeners.push(metrics);
    const grpc: string[] = [];
    const api = layotto(engine);
    const handlers = { ...api, ...grpcHealth.handlers, ...described() };
    for (const address of settings.grpcAddresses) {
      const maxMessageBytes = 2 * settings.maxMessageBytes + ENVELOPE_BYTES;
      const server = await listen(required(address), { handlers, maxMessageBytes, onEnd: counting(api, calls) });
      listeners.push(server);
      grpc.push(formatAddress(server.address));
    }
    await engine.look();
    engine.start(settings.subscriptions, recall(remembered, log));
    state = "UP";
    grpcHealth.set("", "SERVING");
    // Only now: a sidecar that cannot start calls nobody, and one that can says so first.
    setImmediate(() => channel?.open());
    if (channel && appAddress !== undefined) unwatch = watchApp(channel, appAddress, clock, log);
    let stopping: Promise<void> | undefined;
    const stop = () => {
      state = "DOWN";
      grpcHealth.set("", "NOT_SERVING");
      return close(AbortSignal.timeout(shutdownTimeoutMs));
    };
    return { grpc, http: formatAddress(http.address), metrics: formatAddress(metrics.address), engine, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await close(AbortSignal.timeout(shutdownTimeoutMs));
    if (error instanceof ListenError) throw new CatalogueError("LISTEN_FAILED", { address: error.address, reason: error.reason });
    throw error;
  }
}

/** Tells this run from all others of the same process number: it is no secret. */
const mark = () => `${Date.now().toString(36)}${Math.random().toString(36).slice(2)}`;

/** What a container or a control group allows this process; else all there is. */
function memoryLimit(): number {
  return process.constrainedMemory() || Number.POSITIVE_INFINITY;
}

function recall(remembered: Remembered, log: Logger): ReturnType<Remembered["load"]> {
  try {
    return remembered.load();
  } catch (error) {
    log.warn({ reason: textOf(error) }, "what the app subscribed to before cannot be read; its groups exist once it is back");
    return [];
  }
}

function setLevel(log: Logger, level: string): boolean {
  if (!(LOG_LEVELS as readonly string[]).includes(level)) return false;
  log.level = level;
  return true;
}

function required(text: string) {
  const address = parseAddress(text);
  if (!address) throw new TypeError(`The address "${text}" is neither HOST:PORT nor unix:///PATH.`);
  return address;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
