import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const PATIENCE_MS = 60_000;
const root = fileURLToPath(new URL("..", import.meta.url));

const { values } = parseArgs({ options: { data: { type: "string", default: "value1" }, help: { type: "boolean", short: "h" } } });
if (values.help) {
  console.log(
    "npm run quickstart [-- --data TEXT]: publishes TEXT (value1) and receives it, on the embedded broker, with three processes.",
  );
  process.exit(0);
}

const directory = mkdtempSync(join(tmpdir(), "layotto-quickstart-"));
const children = new Map<string, ChildProcess>();
let shown = "";
let stopping = false;

/** What Node compiled would be kept for the next start. */
const LEAVES_NOTHING = { NODE_DISABLE_COMPILE_CACHE: "1" };

/** Starts one of the three, shows what it prints, and resolves once it prints `until`. */
function run(name: string, args: readonly string[], env: Readonly<Record<string, string>>, until: string): Promise<void> {
  if (stopping) return Promise.reject(new Error("stopped"));
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, ...LEAVES_NOTHING, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.set(name, child);
  const header = `--- ${name} (process ${child.pid})`;
  return new Promise((resolve, reject) => {
    const show = (line: string) => {
      if (shown !== header) console.log(header);
      shown = header;
      console.log(line);
      if (line.includes(until)) resolve();
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on("line", show);
    child.once("error", reject);
    child.once("close", (code, signal) =>
      reject(new Error(`the ${name} ended before it printed "${until}" (${signal ?? `exit code ${code}`})`)),
    );
  });
}

async function freePort(): Promise<string> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { readonly port: number };
  probe.close();
  await once(probe, "close");
  return String(port);
}

/** Ends what runs and leaves nothing behind. */
async function cleanUp(signal: NodeJS.Signals): Promise<void> {
  stopping = true;
  const running = [...children.values()].filter((child) => child.exitCode === null && child.signalCode === null && child.pid !== undefined);
  const ended = running.map((child) => once(child, "exit"));
  for (const child of running) child.kill(signal);
  const late = setTimeout(() => {
    for (const child of running) child.kill("SIGKILL");
  }, 5_000);
  await Promise.all(ended);
  clearTimeout(late);
  rmSync(directory, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const port = await freePort();
  const config = join(directory, "layotto.json");
  writeFileSync(config, '{ "pubsubs": { "redis": { "type": "embedded" } } }\n');
  const received = Promise.withResolvers<void>();
  const subscriber = run(
    "subscriber",
    ["demo/pubsub/redis/server/subscriber.ts"],
    { appcallback_GRPC_PORT: "9999" },
    "Start listening on port 9999 ...... ",
  );
  await subscriber.catch((error: Error) => {
    throw new Error(`${error.message}. Is port 9999 taken by another program?`);
  });
  const output = children.get("subscriber")?.stdout;
  if (output) {
    createInterface({ input: output }).on("line", (line) => {
      if (line === `Received a new event.Topic: topic1 , Data:${values.data} `) received.resolve();
    });
  }
  const ports = ["--grpc-port", port, "--http-port", "0", "--metrics-port", "0", "--app-port", "9999"];
  const start = ["src/main.ts", "start", "-c", config, "--data-dir", directory, "--log-format", "pretty", ...ports];
  await run("layotto", start, { LAYOTTO_DATA_DIR: "" }, "layotto is ready");
  const publisher = ["demo/pubsub/redis/client/publisher.ts", "--data", values.data];
  await run("publisher", publisher, { runtime_GRPC_PORT: port, runtime_GRPC_HOST: "127.0.0.1" }, "Published a new event.");
  await received.promise;
}

process.stdin.resume().once("close", () => void cleanUp("SIGKILL").then(() => process.exit(1)));
const late = setTimeout(() => {
  console.error(`The event did not arrive within ${PATIENCE_MS / 1_000} seconds.`);
  void cleanUp("SIGKILL").then(() => process.exit(1));
}, PATIENCE_MS);
try {
  await main();
  await cleanUp("SIGTERM");
  console.log(`
It works: the publisher, Layotto and the subscriber were three processes, and the broker was a file.
What to try next:
  npm run quickstart -- --data hello     other data
  npm run layotto -- start --embedded    a sidecar of your own; then npm run layotto -- publish --help
  README.md                              the same with Redis, one terminal each`);
  process.exitCode = 0;
} catch (error) {
  await cleanUp("SIGTERM");
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
clearTimeout(late);
process.stdin.destroy();
process.stdin.removeAllListeners("close");
