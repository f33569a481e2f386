import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const START_MS = 15_000;
const STOP_MS = 10_000;
const LOOK_MS = 10;
const LOG_BYTES = 4_000;

/** Given out already, and perhaps not listened on yet. */
const given = new Set<number>();

/** Test files run beside one another: each of Vitest's workers has ports of its own, or two would find the same one free. */
const WORKERS = 8;
const PORTS = 12_000 / WORKERS;
const FIRST_PORT = 20_000 + (Number(process.env.VITEST_POOL_ID ?? 0) % WORKERS) * PORTS;

/**
 * A port of the loopback that nobody listens on at the moment, and that was not given out here before. It lies below those that systems give
 * to outgoing connections, so that none takes it before it is used, and above every default of ours. `beside`: the same holds of the ports
 * so far from it, for a server that takes several.
 */
export async function freePort(beside: readonly number[] = []): Promise<number> {
  const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
  const ports = [0, ...beside].map((offset) => port + offset);
  for (const one of ports) if (given.has(one) || !(await isFree(one))) return freePort(beside);
  for (const one of ports) given.add(one);
  return port;
}

/** Resolves once nobody has the port: what comes and goes beside us may have it for a while. */
export async function untilFree(port: number): Promise<void> {
  while (!(await isFree(port))) await delay(LOOK_MS);
}

function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  return new Promise((resolve) => {
    probe.once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
}

/** A server in a process of its own, with a folder of its own that goes when it stops. It never outlives the tests. */
export class Server {
  readonly directory: string;
  readonly #command: string;
  readonly #args: readonly string[];
  readonly #ready: () => Promise<boolean>;
  readonly #startMs: number;
  #child: ChildProcess | undefined;
  #log = "";
  readonly #onExit = (): void => {
    this.#child?.kill("SIGKILL");
    rmSync(this.directory, { recursive: true, force: true });
  };

  /** `ready` tells whether the server really answers, not only whether its port is open; it has `startMs` to do so. */
  constructor(
    name: string,
    command: string,
    args: (directory: string) => readonly string[],
    ready: () => Promise<boolean>,
    startMs = START_MS,
  ) {
    this.directory = mkdtempSync(join(tmpdir(), `${name}-`));
    this.#command = command;
    this.#args = args(this.directory);
    this.#ready = ready;
    this.#startMs = startMs;
    process.once("exit", this.#onExit);
  }

  /** Resolves when it serves. Rejects with the end of its log when it does not come up. */
  async start(): Promise<void> {
    const child = spawn(this.#command, this.#args, { stdio: ["ignore", "pipe", "pipe"], cwd: this.directory });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (text: Buffer) => {
        this.#log = (this.#log + text).slice(-LOG_BYTES);
      });
    }
    let failed: Error | undefined;
    child.once("error", (error) => {
      failed = error;
    });
    const until = performance.now() + this.#startMs;
    while (!(await this.#ready())) {
      if (failed) throw failed;
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${this.#command} died while starting:\n${this.#log}`);
      if (performance.now() > until) throw new Error(`${this.#command} is not ready after ${this.#startMs} ms:\n${this.#log}`);
      await delay(LOOK_MS);
    }
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** What it wrote last. */
  get log(): string {
    return this.#log;
  }

  /** As when the machine loses power, except that what reached the operating system stays. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Neither answers nor closes its connections, until `thaw`. */
  freeze(): void {
    this.#child?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child?.kill("SIGCONT");
  }

  /** Ends it in order, and deletes its folder. */
  async stop(): Promise<void> {
    this.thaw();
    const late = setTimeout(() => this.#child?.kill("SIGKILL"), STOP_MS);
    await this.#end("SIGTERM");
    clearTimeout(late);
    process.off("exit", this.#onExit);
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
    const ended = once(child, "close");
    child.kill(signal);
    await ended;
  }
}
