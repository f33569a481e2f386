import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Recorder } from "../../conformance/recorder.ts";
import { systemClock } from "../../pubsub/clock.ts";
import type { PubSubError } from "../../pubsub/error.ts";
import type { PubSub } from "../../pubsub/pubsub.ts";
import { definition } from "./index.ts";

const fixture = fileURLToPath(new URL("./durability.fixture.ts", import.meta.url));
const request = { topic: "t", group: "g", start: "earliest", order: "none", options: {} } as const;
const soon = () => AbortSignal.timeout(10_000);

let dataDir = "";
const opened: PubSub[] = [];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), "embedded-"));
});
afterEach(async () => {
  for (const pubsub of opened.splice(0)) await pubsub.close(soon());
  rmSync(dataDir, { recursive: true });
});

function open(options: Record<string, unknown> = {}): PubSub {
  const context = { name: "test", appId: "app1", process: "host:1", dataDir, clock: systemClock };
  const pubsub = definition.open(definition.options.parse(options), context);
  opened.push(pubsub);
  return pubsub;
}

function publish(pubsub: PubSub, data: Uint8Array): Promise<PubSubError | undefined> {
  return new Promise((done) => pubsub.publish([{ topic: "t", data, attributes: {}, done }], soon()));
}

test("kill -9: every acknowledged publish is there, what was not settled comes again, and what was does not", async () => {
  const child = spawn(process.execPath, [fixture, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  const [published, settling, acked] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, position = ""] = line.split(" ");
    (what === "p" ? published : what === "s" ? settling : acked).add(position);
    if (acked.size === 500) child.kill("SIGKILL");
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  const pubsub = open();
  const sink = new Recorder();
  const subscription = await pubsub.subscribe(request, sink);
  subscription.window(100_000, 1e9);
  // An acknowledgement may stand that the process had no time to tell of.
  const owed = [...published].filter((position) => !settling.has(position));
  expect(owed.length).toBeGreaterThan(100);
  await publish(pubsub, Buffer.from("last"));
  const came = new Set<string>();
  for (let one = await sink.one(); Buffer.from(one.data).toString() !== "last"; one = await sink.one()) came.add(one.position ?? "");
  expect(owed.filter((position) => !came.has(position))).toEqual([]);
  expect([...acked].filter((position) => came.has(position))).toEqual([]);
});

test("a second process is refused, and told who has the file", async () => {
  const child = spawn(process.execPath, [fixture, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  await expect(open().inspect(soon())).rejects.toMatchObject({
    code: "failed_precondition",
    permanent: true,
    message: expect.stringMatching(new RegExp(`embedded-test.db is in use by process ${child.pid} on .*, since \\d{4}-`)),
  });
  child.kill("SIGKILL");
  await once(child, "exit");
  expect((await open().inspect(soon())).filter(({ level }) => level === "refuse")).toEqual([]);
});

test("a full file refuses publishes, lets acknowledgements through, and takes publishes again once there is room", async () => {
  const pubsub = open({ maxBytes: "2MiB", retention: 0 });
  const sink = new Recorder();
  const subscription = await pubsub.subscribe(request, sink);
  subscription.window(1_000, 1e9);
  let error: PubSubError | undefined;
  let stored = -1;
  for (; !error; stored++) error = await publish(pubsub, new Uint8Array(100_000));
  expect(error).toMatchObject({ code: "resource_exhausted", outcome: "rejected", permanent: false });
  expect(stored).toBeGreaterThan(10);
  for (const delivery of await sink.next(stored)) delivery.ack();
  await subscription.flush(soon());
  await subscription.close(soon());
  const again = new Recorder();
  const second = await pubsub.subscribe(request, again);
  second.window(1_000, 1e9);
  await expect.poll(() => publish(pubsub, new Uint8Array(10)), { timeout: 15_000 }).toBeUndefined();
  expect((await again.one()).data.length).toBe(10);
}, 30_000);
