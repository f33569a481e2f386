import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPublisher, type Publisher } from "layotto-sdk";
import { RpcError, statusName } from "layotto-transport";
import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort } from "../brokers/server.ts";
import { Program } from "../e2e/program.ts";
import { OVER_GRPC } from "./over-grpc.ts";

let directory = "";
let sidecar: Program;
let publisher: Publisher;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "grpc-"));
  const [grpc, nobody] = [await freePort(), await freePort()];
  const config = join(directory, "layotto.yaml");
  writeFileSync(
    config,
    `listen: { grpc: "127.0.0.1:${grpc}", http: "127.0.0.1:0", metrics: "127.0.0.1:0" }
publish: { timeout: 300ms, buffer: 4KiB, maxMessage: 2KiB }
pubsubs:
  small: { type: in-memory, metadata: { maxBytes: 1000 } }
  limited: { type: in-memory, publish: { rate: 1 } }
  broken: { type: redis, metadata: { redisHost: "127.0.0.1:${nobody}" }, publish: { breaker: { failures: 1, pause: 1h } } }
  away: { type: redis, metadata: { redisHost: "127.0.0.1:${nobody}" } }
`,
  );
  sidecar = new Program("src/main.ts", ["start", "-c", config, "--data-dir", directory]);
  await sidecar.printed("layotto is ready");
  publisher = createPublisher({ address: `127.0.0.1:${grpc}` });
});
afterAll(async () => {
  publisher.close();
  sidecar.kill("SIGTERM");
  await sidecar.ended();
  rmSync(directory, { recursive: true });
});

interface Attempt {
  readonly pubsub: string;
  readonly topic: string;
  readonly data: string;
  readonly contentType?: string;
  readonly metadata?: Record<string, string>;
}

/** The code and the text that the caller gets. */
async function refused({ pubsub, topic, data, ...options }: Attempt): Promise<string> {
  try {
    await publisher.publishEvent(pubsub, topic, data, options);
    return "it was taken";
  } catch (error) {
    if (error instanceof RpcError) return `${statusName(error.code)}: ${error.details}`;
    throw error;
  }
}

const large = "x".repeat(1_500);
const to = (pubsub: string, topic: string, data: string, more: Partial<Attempt> = {}): Attempt => ({ pubsub, topic, data, ...more });
const cases: readonly (readonly [id: string, said: RegExp, attempt: Attempt])[] = [
  ["PUBSUB_NAME_EMPTY", /^INVALID_ARGUMENT: pubsub name is empty$/, to("", "t", "x")],
  ["TOPIC_EMPTY", /^INVALID_ARGUMENT: topic is empty in pubsub small$/, to("small", "", "x")],
  ["PUBSUB_NOT_FOUND", /^INVALID_ARGUMENT: pubsub nope not found$/, to("nope", "t", "x")],
  [
    "CLOUD_EVENT_INVALID",
    /^INVALID_ARGUMENT: cannot create cloudevent: ttlInSeconds value must be a valid integer: actual is 'soon'$/,
    to("small", "t", "x", { metadata: { ttlInSeconds: "soon" } }),
  ],
  [
    "CLOUD_EVENT_INVALID",
    /^INVALID_ARGUMENT: cannot create cloudevent: .+/,
    to("small", "t", "{", { contentType: "application/cloudevents+json" }),
  ],
  [
    "MESSAGE_TOO_LARGE",
    /^RESOURCE_EXHAUSTED: error when publish to topic t in pubsub small: the message has 3000 bytes, the limit is 2048$/,
    to("small", "t", large + large),
  ],
  [
    "PUBLISH_REFUSED",
    /^RESOURCE_EXHAUSTED: error when publish to topic t in pubsub small: the broker in memory is full: it keeps at most 1000 bytes$/,
    to("small", "t", large),
  ],
  [
    "PUBLISH_BREAKER_OPEN",
    /^UNAVAILABLE: error when publish to topic t in pubsub broken: the circuit breaker is open for 3600000 ms: 1 calls of the broker in a row failed, the last with: .*ECONNREFUSED/,
    to("broken", "t", "x"),
  ],
  ["PUBLISH_TIMED_OUT", /^UNAVAILABLE: error when publish to topic t in pubsub away: .*ECONNREFUSED/, to("away", "t", "x")],
];

test.each(cases)("%s: %s", async (_, said, attempt) => {
  expect(await refused(attempt)).toMatch(said);
});

test("PUBLISH_BUFFER_FULL: what does not fit beside what waits is refused at once, and what waits is not harmed", async () => {
  const answers = await Promise.all([1, 2, 3].map(() => refused(to("away", "t", large))));
  const full = "RESOURCE_EXHAUSTED: error when publish to topic t in pubsub away: 4096 bytes of publishes are waiting already";
  expect(answers.filter((one) => one === full)).toHaveLength(2);
  expect(answers.filter((one) => one.startsWith("UNAVAILABLE"))).toHaveLength(1);
  await publisher.publishEvent("small", "t", "x");
});

test("PUBLISH_RATE_EXCEEDED: who cannot have a turn in time is told so, and the first is not harmed", async () => {
  const answers = await Promise.all([1, 2].map(() => refused(to("limited", "t", "x"))));
  const exceeded =
    "RESOURCE_EXHAUSTED: error when publish to topic t in pubsub limited: its turn did not come in time: at most 1 messages a second are published";
  expect(answers).toEqual(["it was taken", exceeded]);
});

test("every error that a call can cause is here", () => {
  expect(new Set([...cases.map(([id]) => id), "PUBLISH_BUFFER_FULL", "PUBLISH_RATE_EXCEEDED"])).toEqual(new Set(OVER_GRPC));
});
