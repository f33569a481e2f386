import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Address, connect } from "layotto-transport";
import { freePort } from "../test/brokers/server.ts";

const PATIENCE_MS = 30_000;
export const PUBSUB = "broker";
/** The sidecar as it is published: run `npm run stage` first. */
const STAGED = fileURLToPath(new URL("../stage/sidecar/dist/main.js", import.meta.url));

/** Which sidecar to run, and what it speaks. */
export interface System {
  readonly name: string;
  readonly api: "layotto" | "dapr";
  /** The command line for a configuration in `directory`, given the ports. */
  command(directory: string, ports: Ports): readonly string[];
}

export interface Ports {
  readonly grpc: number;
  readonly http: number;
  readonly metrics: number;
  readonly app: number;
}

export interface Component {
  readonly type: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A sidecar that runs: a process of its own, in a folder of its own. */
export interface Running {
  readonly pid: number;
  readonly address: Address;
  readonly app: Address;
  readonly metrics: string;
  /** SIGTERM, then what it left is deleted. */
  stop(): Promise<void>;
}

export async function freePorts(): Promise<Ports> {
  return { grpc: await freePort(), http: await freePort(), metrics: await freePort(), app: await freePort() };
}

/** Resolves once it serves. */
export async function start(system: System, ports: Ports): Promise<Running> {
  const directory = mkdtempSync(join(tmpdir(), "bench-"));
  const [command = "", ...args] = system.command(directory, ports);
  const child = spawn(command, args, { cwd: directory, stdio: "ignore" });
  const address = { host: "127.0.0.1", port: ports.grpc };
  await ready(child, address);
  return {
    pid: child.pid ?? 0,
    address,
    app: { host: "127.0.0.1", port: ports.app },
    metrics: `http://127.0.0.1:${ports.metrics}/metrics`,
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
      rmSync(directory, { recursive: true });
    },
  };
}

async function ready(child: ChildProcess, address: Address): Promise<void> {
  const client = connect(address);
  const connected = new Promise<void>((resolve) => client.onState((state) => state === "ready" && resolve()));
  const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
  client.wake();
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the sidecar ended with ${String(code)} before it served`);
  });
  await Promise.race([connected, ended]).finally(() => clearTimeout(late));
  ended.catch(() => undefined);
  client.close();
}

/** This sidecar, on a component. `node` flags come first. */
export function ours(component: Component, flags: readonly string[] = []): System {
  return {
    name: "this one",
    api: "layotto",
    command(directory, ports) {
      const listen = { grpc: local(ports.grpc), http: local(ports.http), metrics: local(ports.metrics) };
      const config = { app: { address: local(ports.app) }, listen, log: { level: "warn" }, pubsubs: { [PUBSUB]: component } };
      return [process.execPath, ...flags, STAGED, "start", "-c", written(directory, config), "--data-dir", directory];
    },
  };
}

/** A Go Layotto. */
export function goLayotto(binary: string, component: Component): System {
  return {
    name: "Go Layotto",
    api: "layotto",
    command(directory, ports) {
      const grpc_config = { app: { app_id: "app1", grpc_callback_port: ports.app }, pub_subs: { [PUBSUB]: component } };
      const filters = [{ type: "grpc", config: { server_name: "runtime", grpc_config } }];
      const listeners = [{ name: "grpc", address: local(ports.grpc), bind_port: true, filter_chains: [{ filters }] }];
      const routers = [{ router_config_name: "actuator_dont_need_router" }];
      const servers = [{ default_log_path: "stdout", default_log_level: "ERROR", routers, listeners }];
      return [binary, "start", "-c", written(directory, { servers })];
    },
  };
}

/** A daprd. */
export function dapr(binary: string, { type, metadata }: Component): System {
  return {
    name: "Dapr",
    api: "dapr",
    command(directory, ports) {
      const items = Object.entries(metadata).map(([name, value]) => ({ name, value }));
      const spec = { type: `pubsub.${type}`, version: "v1", metadata: items };
      writeFileSync(
        join(directory, "component.yaml"),
        JSON.stringify({ apiVersion: "dapr.io/v1alpha1", kind: "Component", metadata: { name: PUBSUB }, spec }),
      );
      const flags = { "app-id": "app1", "app-port": ports.app, "app-protocol": "grpc", "resources-path": directory, "log-level": "error" };
      const listen = { "dapr-grpc-port": ports.grpc, "dapr-http-port": ports.http, "metrics-port": ports.metrics };
      const none = ["-placement-host-address", "", "-scheduler-host-address", ""];
      return [binary, ...Object.entries({ ...flags, ...listen }).flatMap(([flag, value]) => [`-${flag}`, String(value)]), ...none];
    },
  };
}

const local = (port: number) => `127.0.0.1:${port}`;

function written(directory: string, config: object): string {
  const file = join(directory, "layotto.json");
  writeFileSync(file, JSON.stringify(config));
  return file;
}
