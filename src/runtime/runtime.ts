import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { formatAddress, listen, parseAddress, type Server } from "layotto-transport";
import { layotto } from "../api/grpc/layotto.ts";
import { type Actuated, actuator, type HealthComponent } from "../api/http/actuator.ts";
import { type HttpServer, serveHttp } from "../api/http/server.ts";
import { GrpcChannel } from "../app/grpc-channel.ts";
import { Engine, type EngineOptions } from "../engine/engine.ts";
import type { Clock } from "../pubsub/clock.ts";
import { systemClock } from "../pubsub/clock.ts";
import type { ComponentContext } from "../pubsub/component.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import { LOG_LEVELS, type Logger } from "../telemetry/log.ts";

/** One component of a configuration that was checked: opening it cannot fail on a bad option any more. */
export interface ConfiguredPubSub {
  readonly type: string;
  /** `consumerID`, by default the app's id. */
  readonly group: string;
  open(context: ComponentContext): PubSub;
}

/** All that the runtime needs to know. Milliseconds and bytes. */
export interface RuntimeSettings extends EngineOptions {
  readonly appId: string;
  /** Where the app is called back, as `parseAddress` reads it. Undefined: nobody is called, the sidecar only publishes. */
  readonly appAddress?: string;
  /** As `parseAddress` reads them; port 0 is any free port. */
  readonly grpcAddresses: readonly string[];
  readonly httpAddress: string;
  readonly pubsubs: ReadonlyMap<string, ConfiguredPubSub>;
  readonly dataDir: string;
  readonly processingTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  /** The largest message an app may publish or get, in bytes. */
  readonly maxMessageBytes: number;
  readonly version: string;
  readonly compiled: string;
}

/** What gRPC and the envelope need beside the payload. A message above the limit is told so by the engine up to twice the limit, beyond by the transport. */
const ENVELOPE_BYTES = 256 * 1024;

export interface Runtime {
  /** Where it really listens. */
  readonly grpc: readonly string[];
  readonly http: string;
  readonly engine: Engine;
  /** Drains and stops (D8): within the shutdown timeout, losing nothing. Idempotent. */
  stop(): Promise<void>;
}

/** Wires everything. Rejects when an address cannot be had; then nothing is left running. */
export async function startRuntime(settings: RuntimeSettings, log: Logger, clock: Clock = systemClock): Promise<Runtime> {
  const context = { appId: settings.appId, process: `${hostname()}:${randomUUID()}`, dataDir: settings.dataDir, clock };
  const sources = new Map([...settings.pubsubs].map(([name, one]) => [name, { pubsub: one.open({ ...context, name }), group: one.group }]));
  const channel =
    settings.appAddress === undefined
      ? undefined
      : new GrpcChannel(settings.appAddress, { processingTimeoutMs: settings.processingTimeoutMs });
  const engine = new Engine(sources, channel, clock, settings, {
    subscribed: ({ pubsub, topic }) => log.info({ pubsub, topic }, "the app subscribes"),
    unsubscribed: ({ pubsub, topic }) => log.warn({ pubsub, topic }, "the app no longer subscribes; its group stays at the broker"),
    unknownPubSub: ({ pubsub, topic }) => log.error({ pubsub, topic }, "the app subscribes to a pubsub that is not configured"),
    appUnanswered: (reason) => reason !== undefined && log.warn({ reason }, "the app does not say what it subscribes to; asking again"),
    trouble: (what) => log.error(what),
  });
  let state: HealthComponent["status"] = "INIT";
  const listeners: (Server | HttpServer)[] = [];
  const close = async (signal: AbortSignal): Promise<void> => {
    await engine.drain(signal);
    await Promise.all(listeners.map((one) => one.close(signal)));
    await engine.close(signal);
  };
  try {
    const http = await serveHttp(required(settings.httpAddress), actuator(actuated(settings, engine, log, () => state)));
    listeners.push(http);
    const grpc: string[] = [];
    for (const address of settings.grpcAddresses) {
      const server = await listen(required(address), {
        handlers: layotto(engine),
        maxMessageBytes: 2 * settings.maxMessageBytes + ENVELOPE_BYTES,
      });
      listeners.push(server);
      grpc.push(formatAddress(server.address));
    }
    engine.start();
    state = "UP";
    let stopping: Promise<void> | undefined;
    const stop = () => {
      state = "DOWN";
      return close(AbortSignal.timeout(settings.shutdownTimeoutMs));
    };
    return { grpc, http: formatAddress(http.address), engine, stop: () => (stopping ??= stop()) };
  } catch (error) {
    await close(AbortSignal.timeout(settings.shutdownTimeoutMs));
    throw error;
  }
}

function required(text: string) {
  const address = parseAddress(text);
  if (!address) throw new TypeError(`The address "${text}" is neither HOST:PORT nor unix:///PATH.`);
  return address;
}

function actuated(settings: RuntimeSettings, engine: Engine, log: Logger, state: () => HealthComponent["status"]): Actuated {
  const startup = () => ({ runtime_startup: { status: state(), details: { reason: state() === "INIT" ? "starting" : "" } } });
  return {
    // A process that stops is alive: only readiness goes.
    liveness: () => ({ runtime_startup: { status: "UP", details: { reason: "" } } }),
    readiness: () => ({
      ...startup(),
      ...Object.fromEntries(
        engine.subscriptions.map((one) => [`subscription ${one.pubsub}/${one.topic}`, { status: "UP" as const, details: { ...one } }]),
      ),
    }),
    version: settings.version,
    compiled: settings.compiled,
    setLogLevel: (level) => {
      if (!(LOG_LEVELS as readonly string[]).includes(level)) return false;
      log.level = level;
      return true;
    },
  };
}
