import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { provide } from "../brokers/debian.ts";
import { freePort } from "../brokers/server.ts";
import { Program } from "../e2e/program.ts";

/** A cold cache and a slow registry. */
const INSTALL_MS = 300_000;
const programs: Program[] = [];
let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sdk-"));
});
afterEach(async () => {
  for (const program of programs.splice(0)) {
    program.kill();
    await program.ended();
  }
  rmSync(directory, { recursive: true });
});

const take = (file: string) => copyFileSync(fileURLToPath(new URL(file, import.meta.url)), join(directory, file.split("/").at(-1) ?? file));
const install = (command: string, ...args: readonly string[]) =>
  execFileSync(command, args, { cwd: directory, stdio: ["ignore", "ignore", "inherit"] });

/** A sidecar, and `app` beside it, which is started with the ports of both. */
async function beside(app: (grpc: string, callback: string) => Program): Promise<Program> {
  const [grpc, callback] = [String(await freePort()), String(await freePort())];
  const config = join(directory, "layotto.yaml");
  writeFileSync(config, "pubsubs: { broker: { type: in-memory } }\n");
  const flags = ["--grpc-port", grpc, "--http-port", "0", "--metrics-port", "0", "--app-port", callback];
  const sidecar = new Program("src/main.ts", ["start", "-c", config, "--data-dir", directory, ...flags]);
  programs.push(sidecar);
  await sidecar.printed("layotto is ready");
  const program = app(grpc, callback);
  programs.push(program);
  return program;
}

async function printedTwice(program: Program, line: string): Promise<void> {
  await expect.poll(() => program.stdout.split(line).length - 1, { timeout: 10_000 }).toBe(2);
}

test(
  "Layotto's JS SDK, unmodified, publishes, is refused with Layotto's words, is called back, and again after it threw",
  async () => {
    writeFileSync(join(directory, "package.json"), '{ "private": true }\n');
    install("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts", "layotto@1.18.0");
    take("js-sdk.fixture.cjs");
    const app = await beside((runtime_GRPC_PORT, appcallback_GRPC_PORT) => {
      const ports = { runtime_GRPC_PORT, appcallback_GRPC_PORT };
      return new Program("js-sdk.fixture.cjs", [], ports, process.execPath, { cwd: directory });
    });
    await app.printed("3 pubsub nope not found\n");
    await app.printed('{"data":{"hello":"wörld"},"topic":"topic1","type":"application/json","metadata":{"mykey":"v"}}\n');
    await printedTwice(app, '{"data":{"again":true},"topic":"topic1","type":"application/json","metadata":{}}\n');
  },
  INSTALL_MS,
);

const noJava = provide("mvn", "maven") ?? provide("java", "default-jdk-headless");

test(
  "Layotto's Java SDK, unmodified, does so too",
  async ({ skip }) => {
    skip(noJava !== undefined, noJava);
    take("java/pom.xml");
    take("java/App.java");
    install("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib");
    const app = await beside((grpc, callback) => {
      return new Program("-cp", ["lib/*", "App.java", grpc, callback], {}, "java", { cwd: directory });
    });
    await app.printed("INVALID_ARGUMENT: pubsub nope not found\n");
    await app.printed("topic1 hello text/plain {mykey=v}\n");
    await printedTwice(app, "topic1 again text/plain {}\n");
  },
  INSTALL_MS,
);
