import { execFile } from "node:child_process";
import { connect } from "node:net";
import { promisify } from "node:util";
import { provide } from "./debian.ts";
import { freePort, Server } from "./server.ts";

const run = promisify(execFile);
let availability: { readonly reason: string | undefined } | undefined;

/** Why no Redis can be had here; undefined: it can. Installs it where that is possible. For `describe.skipIf`. */
export function redisAvailable(): string | undefined {
  availability ??= { reason: provide("redis-server", "redis-server") ?? provide("redis-cli", "redis-tools") };
  return availability.reason;
}

export interface RedisServerOptions {
  /** Default: a free one. */
  readonly port?: number;
  /** Default: `everysec`, Redis's own. `always`: what was answered survives `kill`. */
  readonly appendfsync?: "always" | "everysec" | "no";
  /** As on the command line: `["--maxmemory", "10mb"]`. The last of two wins. */
  readonly extraArgs?: readonly string[];
  /** A Sentinel instead of a server: the text of its configuration file is written by the caller, and named here. */
  readonly sentinelConfig?: string;
}

/** A Redis of the test's own on the loopback, with an append-only file in a temporary folder. */
export interface RedisServer {
  readonly port: number;
  readonly url: string;
  readonly pid: number | undefined;
  /** kill -9. The data stays for `restart`. */
  kill(): Promise<void>;
  /** Starts again on the same port and data; kills it first if it runs. */
  restart(): Promise<void>;
  /** Neither answers nor closes its connections, until `thaw`. */
  freeze(): void;
  thaw(): void;
  /** Ends it and deletes its data. */
  stop(): Promise<void>;
  /** Runs redis-cli. Returns what it prints; rejects when the server answers with an error. */
  cli(...args: readonly string[]): Promise<string>;
}

export async function startRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const port = options.port ?? (await freePort());
  const server = new Server(
    "redis",
    "redis-server",
    (directory) => redisArguments(port, directory, options),
    () => answers(port),
  );
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    async restart() {
      await server.kill();
      await server.start();
    },
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    stop: () => server.stop(),
    async cli(...args) {
      const { stdout } = await run("redis-cli", ["-e", "-p", String(port), ...args], { maxBuffer: 64 * 2 ** 20 });
      return stdout.trimEnd();
    },
  };
}

/** The command line of a Redis on the loopback that keeps its data in `directory`. */
export function redisArguments(port: number, directory: string, options: RedisServerOptions = {}): readonly string[] {
  if (options.sentinelConfig !== undefined) {
    return [options.sentinelConfig, "--sentinel", "--port", String(port), "--bind", "127.0.0.1", "--dir", directory];
  }
  const appendOnly = ["--appendonly", "yes", "--appendfsync", options.appendfsync ?? "everysec", "--save", ""];
  const cluster = ["--cluster-config-file", "nodes.conf"];
  return ["--port", String(port), "--bind", "127.0.0.1", "--dir", directory, ...appendOnly, ...cluster, ...(options.extraArgs ?? [])];
}

/** Whether a server answers PING on the port, and has loaded its data. One that asks for a password has. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const finish = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("data", (reply) => finish(/^(\+PONG|-NOAUTH)/.test(reply.toString())));
    socket.once("error", () => finish(false));
    socket.once("close", () => finish(false));
  });
}
