import { execFile, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { provide, provideWhat } from "./debian.ts";
import { freePort, Server } from "./server.ts";

const run = promisify(execFile);

/** Not moto[server], which brings what the other services need: several times the size. */
const PACKAGES = ["moto==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"] as const;

const SERVER = fileURLToPath(new URL("sns-sqs.py", import.meta.url));

/** Python reads thousands of files first. */
const START_MS = 60_000;

let availability: { readonly reason: string | undefined } | undefined;
let environment: Promise<string> | undefined;

/** Why no server of SNS and SQS can be had here; undefined: it can. Installs Python where that is possible. For `describe.skipIf`. */
export function awsAvailable(): string | undefined {
  availability ??= { reason: provide("python3", "python3") ?? provideWhat("Python's venv", "python3-venv", makesEnvironments) };
  return availability.reason;
}

function makesEnvironments(): boolean {
  return spawnSync("python3", ["-c", "import ensurepip, venv"]).status === 0;
}

/** SNS and SQS as moto plays them, of the test's own, on the loopback. All is kept in memory: what ends it loses everything. */
export interface AwsServer {
  readonly port: number;
  /** What the clients take as their endpoint. Any region, account and key will do. */
  readonly url: string;
  readonly pid: number | undefined;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts again on the same port, with nothing in it; kills it first if it runs. */
  restart(): Promise<void>;
  /** Forgets all topics, queues and messages, and goes on. */
  reset(): Promise<void>;
  /** Neither answers nor closes its connections, until `thaw`. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** The first start on a machine installs moto from PyPI, which takes half a minute. */
export async function startAws(): Promise<AwsServer> {
  environment ??= installed();
  const python = join(await environment, "bin", "python");
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const ready = () =>
    fetch(`${url}/moto-api/data.json`).then(
      ({ ok }) => ok,
      () => false,
    );
  const server = new Server("moto", python, () => [SERVER, "-H", "127.0.0.1", "-p", String(port)], ready, START_MS);
  try {
    await server.start();
  } catch (error) {
    await server.stop();
    throw error;
  }
  return {
    port,
    url,
    get pid() {
      return server.pid;
    },
    kill: () => server.kill(),
    async restart() {
      await server.kill();
      await server.start();
    },
    async reset() {
      const { ok, status } = await fetch(`${url}/moto-api/reset`, { method: "POST" });
      if (!ok) throw new Error(`moto answered ${status} to a reset`);
    },
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    stop: () => server.stop(),
  };
}

/** The folder of a Python with moto: made if it was not yet, and kept in the user's cache for later runs. */
async function installed(): Promise<string> {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "layotto-tests");
  const folder = join(cache, PACKAGES.join("-").replaceAll("==", "-"));
  if (await exists(folder)) return folder;
  await mkdir(cache, { recursive: true });
  // Another test file may be at it too: whoever comes last finds the folder there, whole, and uses that.
  const building = await mkdtemp(join(cache, "building-"));
  try {
    await run("python3", ["-m", "venv", building]);
    await run(join(building, "bin", "python"), ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...PACKAGES]);
    await rename(building, folder);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    if (!(await exists(folder))) throw error;
  }
  return folder;
}

async function exists(folder: string): Promise<boolean> {
  return stat(folder).then(
    () => true,
    () => false,
  );
}
