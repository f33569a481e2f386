import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { components } from "../../src/components/registry.ts";
import { freePort } from "../brokers/server.ts";
import { Program } from "../e2e/program.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = (name: string) => join(root, "node_modules/.bin", name);
const NAMES = ["proto", "transport", "sdk", "sidecar"];
/** A cold cache and a slow registry. */
const INSTALL_MS = 240_000;
const programs: Program[] = [];
let directory = "";

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "packages-"));
  run("npm", ["run", "--silent", "stage:all"], root);
  for (const name of NAMES) run("npm", ["pack", "--silent", "--pack-destination", directory], join(root, "stage", name));
}, INSTALL_MS);
afterAll(async () => {
  for (const program of programs) {
    program.killAll("SIGTERM");
    await program.ended();
  }
  rmSync(directory, { recursive: true });
}, 30_000);

function run(command: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = {}): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
}

const tarball = (name: string) => join(directory, `layotto-${name}-0.1.0.tgz`);

/** An empty folder, with packages installed from their tarballs. */
function installed(folder: string, packages: readonly string[]): string {
  const to = join(directory, folder);
  mkdirSync(to);
  writeFileSync(join(to, "package.json"), '{ "private": true, "type": "module" }\n');
  run("npm", ["install", "--no-audit", "--no-fund", "--loglevel=error", ...packages], to);
  return to;
}

/** A Node 20: the SDK promises to run on it. The machine's own, or npm's. */
function node20(folder: string): string {
  const name = process.platform === "win32" ? "node.exe" : "node";
  for (const path of (process.env.PATH ?? "").split(delimiter)) {
    const one = join(path, name);
    if (existsSync(one) && run(one, ["--version"], folder).startsWith("v20.")) return one;
  }
  run(
    "npm",
    ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", `node-${process.platform}-${process.arch}@20`],
    folder,
  );
  return join(folder, `node_modules/node-${process.platform}-${process.arch}/bin`, name);
}

function start(command: string, args: readonly string[], cwd: string, env: Record<string, string> = {}): Program {
  const [first = "", ...rest] = args;
  const program = new Program(first, rest, env, command, { cwd, detached: true });
  programs.push(program);
  return program;
}

test.each(NAMES)(
  "publint and attw find nothing wrong in %s",
  (name) => {
    expect(run(bin("publint"), ["--strict", join(root, "stage", name)], root)).toContain("All good!");
    run(bin("attw"), ["--profile", "esm-only", "--format", "ascii", tarball(name)], root);
  },
  60_000,
);

test(
  "the sidecar is installed and run by npx, and the SDK in another folder on Node 20 publishes and subscribes",
  async () => {
    const sidecarFolder = installed("sidecar-alone", [tarball("sidecar")]);
    const ports = { grpc: String(await freePort()), app: String(await freePort()) };
    const flags = ["--grpc-port", ports.grpc, "--http-port", "0", "--metrics-port", "0", "--app-port", ports.app];
    const sidecar = start("npx", ["layotto", "start", "--embedded", ...flags], sidecarFolder);
    await sidecar.printed("layotto is ready");
    expect(readdirSync(join(sidecarFolder, ".layotto"))).not.toEqual([]);

    const sdkFolder = installed("sdk-alone", [tarball("proto"), tarball("transport"), tarball("sdk")]);
    expect(run("npm", ["ls", "--all"], sdkFolder)).not.toMatch(/redis|valkey|kafka|rocketmq|amqp|nats|aws|mqtt|pulsar/i);
    const [, example = ""] = /```js\n([\s\S]*?)```/.exec(readFileSync(join(sdkFolder, "node_modules/layotto-sdk/README.md"), "utf8")) ?? [];
    writeFileSync(join(sdkFolder, "example.js"), `console.log(process.version);\n${example}`);
    const env = { runtime_GRPC_PORT: ports.grpc, appcallback_GRPC_PORT: ports.app };
    const program = start(node20(sdkFolder), ["example.js"], sdkFolder, env);
    await program.printed("got hello\n");
    program.kill("SIGTERM");
    expect(await program.ended(), program.stderr).toBe(0);
    expect(program.stdout).toMatch(/^v20\..+\ngot hello\n$/);
  },
  INSTALL_MS,
);

test("a sidecar with Redis alone loads no other broker's part", async () => {
  const folder = join(directory, "redis-alone");
  mkdirSync(folder);
  const loaded = join(folder, "loaded");
  writeFileSync(
    join(folder, "hook.mjs"),
    `import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
registerHooks({ load: (url, context, next) => (appendFileSync(${JSON.stringify(loaded)}, url + "\\n"), next(url, context)) });
`,
  );
  // Nobody is there: the sidecar starts all the same.
  const pubsubs = { broker: { type: "redis", metadata: { redisHost: `127.0.0.1:${await freePort()}` } } };
  writeFileSync(join(folder, "layotto.json"), JSON.stringify({ pubsubs }));
  const main = join(root, "stage/sidecar/dist/main.js");
  const flags = ["--grpc-port", "0", "--http-port", "0", "--metrics-port", "0"];
  const sidecar = start(process.execPath, ["--import", join(folder, "hook.mjs"), main, "start", "-c", "layotto.json", ...flags], folder);
  await sidecar.printed("layotto is ready");
  const files = readFileSync(loaded, "utf8").trim().split("\n");
  // Each component is a chunk that has its name.
  const types = Object.keys(components).filter((type) => files.some((url) => basename(url).startsWith(`${type}-`)));
  expect(types).toEqual(["redis"]);
  expect(files.filter((url) => /kafka|aws-sdk|smithy|rocketmq/.test(url))).toEqual([]);
});

test(
  "the declarations compile for a consumer who checks libraries too",
  () => {
    const folder = installed("typed", [...NAMES.map(tarball), "@types/node@24"]);
    writeFileSync(
      join(folder, "consumer.ts"),
      `import { createPublisher, type Publisher } from "layotto-sdk";
import { type ComponentDefinition, PubSubError, text } from "layotto-sidecar";
import { conformance, type Harness } from "layotto-sidecar/conformance";
import { connect, Status } from "layotto-transport";
import { PublishEventRequestSchema } from "layotto-proto/runtime";

export const publisher: Publisher = createPublisher({ address: "127.0.0.1:1" });
export const checks = (harness: Harness): readonly string[] => conformance(harness).map(({ name }) => name);
export const failure: PubSubError = new PubSubError("unavailable", "away");
export const all = [connect, Status.OK, PublishEventRequestSchema, text()];
export type Definition = ComponentDefinition<{ host: string }>;
`,
    );
    const options = {
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      module: "nodenext",
      target: "es2023",
      lib: ["es2024"],
      types: ["node"],
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options, files: ["consumer.ts"] }));
    run(bin("tsc"), ["-p", "."], folder);
  },
  INSTALL_MS,
);
