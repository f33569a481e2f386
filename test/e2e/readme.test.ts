import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { freePort, untilFree } from "../brokers/server.ts";
import { withRedis } from "../brokers/with.ts";
import { Program } from "./program.ts";

let directory = "";
const programs: Program[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "quickstart-test-"));
});
afterEach(async () => {
  for (const program of programs.splice(0)) {
    program.killAll("SIGKILL");
    await program.ended();
  }
  rmSync(directory, { recursive: true });
});

function start(script: string, args: readonly string[], env: Record<string, string> = {}): Program {
  const program = new Program(script, args, { TMPDIR: directory, ...env });
  programs.push(program);
  return program;
}

const pidsOf = (output: string) => [...output.matchAll(/^--- \w+ \(process (\d+)\)$/gm)].map(([, pid]) => Number(pid));

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** Nothing of it is left: no process that it named, no file, and its port is free. */
async function expectNothingLeft(output: string): Promise<void> {
  expect(pidsOf(output).filter(isAlive)).toEqual([]);
  expect(readdirSync(directory)).toEqual([]);
  const probe = createServer().listen(9999, "127.0.0.1");
  await once(probe, "listening");
  probe.close();
  await once(probe, "close");
}

test("the quick start prints its lines, from three processes, and leaves nothing behind", async () => {
  const data = randomUUID();
  const program = start("scripts/quickstart.ts", ["--data", data]);
  const code = await program.ended();
  expect([code, program.stderr]).toEqual([0, ""]);
  const lines = program.stdout.split("\n");
  expect(lines).toContain("Start listening on port 9999 ...... ");
  expect(lines).toContain(`Published a new event.Topic: topic1 ,Data: ${data} `);
  expect(lines).toContain(`Received a new event.Topic: topic1 , Data:${data} `);
  expect(new Set(pidsOf(program.stdout)).size).toBe(3);
  expect(program.stdout).toContain("What to try next:");
  await expectNothingLeft(program.stdout);
}, 60_000);

test("killed at ten random moments, the quick start leaves nothing behind", async () => {
  for (let round = 0; round < 10; round++) {
    const program = start("scripts/quickstart.ts", []);
    // The moment is what this is about, so it is left to chance.
    const timer = setTimeout(() => program.kill("SIGKILL"), Math.random() * 1_200);
    // Ends when the last process that has its output ends.
    await program.ended();
    clearTimeout(timer);
    await expectNothingLeft(program.stdout);
  }
}, 120_000);

test("a subscriber that starts after the publish still gets the event", async () => {
  const data = randomUUID();
  const [grpc, app] = [String(await freePort()), String(await freePort())];
  const config = join(directory, "layotto.json");
  writeFileSync(config, '{ "pubsubs": { "redis": { "type": "embedded" } } }');
  const ports = ["--grpc-port", grpc, "--http-port", "0", "--metrics-port", "0", "--app-port", app];
  start("src/main.ts", ["start", "-c", config, "--data-dir", directory, ...ports]);
  const publisher = start("demo/pubsub/redis/client/publisher.ts", ["-d", data], { runtime_GRPC_PORT: grpc });
  expect(await publisher.ended()).toBe(0);
  const subscriber = start("demo/pubsub/redis/server/subscriber.ts", [], { appcallback_GRPC_PORT: app });
  await subscriber.printed(`Received a new event.Topic: topic1 , Data:${data} \n`);
}, 60_000);

/** The README's command blocks, in their order. */
const blocks = [...readFileSync(new URL("../../README.md", import.meta.url), "utf8").matchAll(/^ *```sh\n *(.+)\n *```$/gm)].map(
  ([, command = ""]) => command,
);

test("the README shows the two commands and the four steps", () => {
  expect(blocks).toEqual([
    "npm run quickstart",
    "npm test",
    "npm run redis",
    "npm run subscriber",
    "npm run layotto -- start -c configs/config_redis.json",
    "npm run publisher",
  ]);
});

withRedis("the four steps by hand", () => {
  test("run as the README shows them", async () => {
    const [, , ...steps] = blocks;
    const shows = [
      "Ready to accept connections",
      "Start listening on port 9999 ...... \n",
      "layotto is ready",
      "Published a new event.Topic: topic1 ,Data: value1 \n",
    ];
    const ports = [9999, 34903, 34904, 34999, 6380];
    await Promise.all(ports.map(untilFree));
    const running: Program[] = [];
    for (const [index, step] of steps.entries()) {
      const program = new Program("-c", [`exec ${step}`], { TMPDIR: directory, LAYOTTO_DATA_DIR: directory }, "sh", { detached: true });
      programs.push(program);
      running.push(program);
      await program.printed(shows[index] ?? "");
    }
    const [redis, subscriber, sidecar, publisher] = running;
    await subscriber?.printed("Received a new event.Topic: topic1 , Data:value1 \n");
    expect(await publisher?.ended()).toBe(0);
    for (const program of [subscriber, sidecar, redis]) {
      program?.kill("SIGTERM");
      await program?.ended();
    }
    await Promise.all(ports.map(untilFree));
  }, 60_000);
});
