import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPublisher, type Publisher } from "layotto-sdk";
import { freePort } from "../brokers/server.ts";
import { Program } from "./program.ts";
import { scrape } from "./scrape.ts";

/** A start costs half as much when what was compiled is kept; a sidecar writes it down when it stops in order. */
export const COMPILED = { NODE_COMPILE_CACHE: join(tmpdir(), "layotto-tests-compiled") };

export interface Component {
  readonly type: string;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** A configuration without the addresses on which the sidecar listens: those are free ports of its own. */
export interface SidecarSettings {
  readonly app: { readonly address: string };
  readonly pubsubs: Readonly<Record<string, Component>>;
  readonly delivery?: object;
  readonly publish?: object;
  readonly subscriptions?: readonly object[];
}

/** What health says of a subscription. */
export interface Shown {
  readonly state: string;
  readonly reason: string;
  readonly inFlight: number;
  readonly pending: number;
  readonly counts: Readonly<Record<"delivered" | "acked" | "retried" | "dropped" | "expired" | "released" | "lost", number>>;
}

/** A sidecar in a process of its own, with a folder and addresses that it keeps over restarts. */
export class Sidecar {
  readonly directory = mkdtempSync(join(tmpdir(), "sidecar-"));
  readonly #ports: { readonly grpc: number; readonly http: number; readonly metrics: number };
  readonly #config: string;
  #program: Program | undefined;
  #publisher: Publisher | undefined;
  #working = false;

  private constructor(settings: SidecarSettings, ports: { grpc: number; http: number; metrics: number }) {
    this.#ports = ports;
    this.#config = join(this.directory, "layotto.json");
    const listen = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, `127.0.0.1:${port}`]));
    writeFileSync(this.#config, JSON.stringify({ ...settings, listen }));
  }

  static async make(settings: SidecarSettings): Promise<Sidecar> {
    return new Sidecar(settings, { grpc: await freePort(), http: await freePort(), metrics: await freePort() });
  }

  async start(): Promise<void> {
    this.#program = new Program("src/main.ts", ["start", "-c", this.#config, "--data-dir", this.directory], COMPILED);
    await this.#program.printed("layotto is ready");
    this.#working = true;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** SIGTERM; resolves to the exit code. */
  async stop(): Promise<number | null | undefined> {
    return this.#end("SIGTERM");
  }

  /** Neither works nor ends, until `thaw`. */
  freeze(): void {
    this.#working = false;
    this.#program?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#program?.kill("SIGCONT");
    this.#working = true;
  }

  /** Whether it runs, and was not told to end. */
  get working(): boolean {
    return this.#working;
  }

  get address(): string {
    return `127.0.0.1:${this.#ports.grpc}`;
  }

  get pid(): number | undefined {
    return this.#program?.pid;
  }

  get log(): string {
    return this.#program?.stdout ?? "";
  }

  get publisher(): Publisher {
    this.#publisher ??= createPublisher({ address: this.address });
    return this.#publisher;
  }

  async shown(pubsub: string, topic: string): Promise<Shown | undefined> {
    return (await this.subscriptions(pubsub)).get(topic);
  }

  /** What health says of a component's subscriptions, by their topics. */
  async subscriptions(pubsub: string): Promise<ReadonlyMap<string, Shown>> {
    const response = await fetch(`http://127.0.0.1:${this.#ports.http}/actuator/health/readiness`);
    const { components } = (await response.json()) as { components: Record<string, { details: Shown }> };
    const prefix = `subscription ${pubsub}/`;
    const shown = Object.entries(components).filter(([name]) => name.startsWith(prefix));
    return new Map(shown.map(([name, { details }]) => [name.slice(prefix.length), details]));
  }

  /** What Prometheus would scrape: a value by its name and labels. */
  metrics(): Promise<ReadonlyMap<string, number>> {
    return scrape(`http://127.0.0.1:${this.#ports.metrics}/metrics`);
  }

  async close(): Promise<void> {
    this.#publisher?.close();
    this.#program?.kill("SIGCONT");
    await this.kill();
    rmSync(this.directory, { recursive: true });
  }

  #end(signal: NodeJS.Signals): Promise<number | null> | undefined {
    this.#working = false;
    this.#program?.kill(signal);
    return this.#program?.ended();
  }
}
