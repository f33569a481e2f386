import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createPublisher } from "layotto-sdk";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePort } from "../brokers/server.ts";
import { Program } from "./program.ts";
import { PUBSUB, Rig, TOPIC } from "./rig.ts";

const ANYWHERE = { grpc: "127.0.0.1:0", http: "127.0.0.1:0", metrics: "127.0.0.1:0" };
let directory = "";
const cleanups: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "start-"));
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  rmSync(directory, { recursive: true });
});

function start(config: object, env: Record<string, string> = {}, flags: readonly string[] = []): Program {
  const file = join(directory, "layotto.json");
  writeFileSync(file, JSON.stringify(config));
  const program = new Program("src/main.ts", ["start", "-c", file, "--data-dir", directory, ...flags], env);
  cleanups.push(() => {
    program.kill();
    return program.ended();
  });
  return program;
}

async function publish(address: string, data: string): Promise<void> {
  const publisher = createPublisher({ address });
  cleanups.push(() => publisher.close());
  await publisher.publishEvent(PUBSUB, TOPIC, data, { timeoutMs: 10_000 });
}

test("it listens on TCP and on a Unix socket, which it takes over after it was killed", async () => {
  const grpc = [`127.0.0.1:${await freePort()}`, `unix://${join(directory, "layotto.sock")}`];
  const config = { listen: { grpc, http: "127.0.0.1:0" }, pubsubs: { [PUBSUB]: { type: "embedded" } } };
  const first = start(config);
  await first.printed("layotto is ready");
  for (const address of grpc) await publish(address, "before");
  first.kill("SIGKILL");
  await first.ended();
  const second = start(config);
  await second.printed("layotto is ready");
  for (const address of grpc) await publish(address, "after");
});

test.each([
  ["redis", "components/redis/", ["components/embedded/", "components/in-memory/", "components/kafka/", "node:sqlite", "wasm-utils"]],
  ["embedded", "node:sqlite", ["components/redis/", "components/in-memory/", "components/kafka/", "wasm-utils"]],
  ["kafka", "wasm-utils", ["components/redis/", "components/embedded/", "components/in-memory/", "node:sqlite"]],
])("starting with %s alone loads no module of another broker", async (type, own, others) => {
  const loaded = join(directory, "loaded");
  const hook = fileURLToPath(new URL("loaded.fixture.ts", import.meta.url));
  const server = `127.0.0.1:${await freePort()}`;
  const metadata = { redis: { redisHost: server }, kafka: { brokers: server } }[type] ?? {};
  const config = { listen: ANYWHERE, pubsubs: { [PUBSUB]: { type, metadata } } };
  const program = start(config, { NODE_OPTIONS: `--import=${hook}`, LOADED_MODULES: loaded });
  await program.printed("layotto is ready");
  const modules = readFileSync(loaded, "utf8");
  expect(modules).toContain(own);
  for (const other of others) expect(modules).not.toContain(other);
});

/** A sidecar on which these were published, in its first call of the app, which lasts until the test ends it. One call at a time. */
async function inACall(published: readonly string[]) {
  const rig = await Rig.make({ type: "embedded", metadata: {} }, { maxInFlight: 1 });
  cleanups.push(() => rig.close());
  const entered = Promise.withResolvers<void>();
  const mayEnd = Promise.withResolvers<"success">();
  rig.handler = () => {
    entered.resolve();
    return mayEnd.promise;
  };
  await rig.startApp();
  await rig.startSidecar();
  await rig.expectState("running");
  for (const data of published) await rig.publisher.publishEvent(PUBSUB, TOPIC, data);
  await entered.promise;
  return { rig, mayEnd };
}

test("SIGTERM: the running call ends and counts, what was not begun is kept, and the API serves until then", async () => {
  const { rig, mayEnd } = await inACall(["one", "two"]);
  const stopped = rig.stopSidecar();
  await expect.poll(() => rig.log).toContain("stopping");
  await rig.publisher.publishEvent(PUBSUB, TOPIC, "three");
  mayEnd.resolve("success");
  expect(await stopped).toBe(0);
  expect(rig.received.map((event) => event.text())).toEqual(["one"]);
  rig.handler = () => "success";
  await rig.startSidecar();
  await rig.took((event) => event.text() === "three");
  expect(rig.received.map((event) => event.text())).toEqual(["one", "two", "three"]);
});

test("SIGTERM while it starts is not forgotten: it stops in order", async () => {
  const silent = createServer();
  const asked = once(silent, "connection");
  silent.listen(0, "127.0.0.1");
  await once(silent, "listening");
  cleanups.push(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const program = start({ listen: ANYWHERE, pubsubs: { [PUBSUB]: { type: "redis", metadata: { redisHost: `127.0.0.1:${port}` } } } });
  // It waits for a while for a broker that does not answer.
  const [socket] = (await asked) as [Socket];
  cleanups.push(() => socket.destroy());
  program.kill("SIGTERM");
  expect(await program.ended()).toBe(0);
  expect(program.stdout).toContain("stopped");
});

test("a sidecar whose log nobody reads any more runs, and stops in order", async () => {
  const program = start({ listen: ANYWHERE, pubsubs: { [PUBSUB]: { type: "embedded" } } });
  await program.printed("layotto is ready");
  program.stopReading();
  program.kill("SIGTERM");
  expect([await program.ended(), program.stderr]).toEqual([0, ""]);
});

test("a start line of Layotto's own command starts it", async () => {
  const flags = ["-ll", "error", "-pn", "pod", "-s", "cluster", "-drain-strategy", "immediate", "--disable-hot-restart", "-lf", "text"];
  const program = start({ listen: ANYWHERE, pubsubs: { [PUBSUB]: { type: "embedded" } } }, { LOG_LEVEL: "info" }, flags);
  await program.printed("layotto is ready");
});

test("signals that come at once are one: a terminal signals npm and the sidecar, and npm passes its own on", async () => {
  const { rig, mayEnd } = await inACall(["running"]);
  const stopped = rig.stopSidecar();
  void rig.stopSidecar();
  void rig.stopSidecar();
  await expect.poll(() => rig.log).toContain("stopping");
  mayEnd.resolve("success");
  expect(await stopped).toBe(0);
});

test("a second signal ends it now", async () => {
  const { rig } = await inACall(["never done"]);
  const stopped = rig.stopSidecar();
  await expect.poll(() => rig.log).toContain("stopping");
  // One that comes with the first is taken for the same.
  const again = setInterval(() => void rig.stopSidecar(), 100);
  cleanups.push(() => clearInterval(again));
  expect(await stopped).toBe(1);
});
