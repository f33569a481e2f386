import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { TopicEventRequestSchema } from "layotto-proto/appcallback";
import { PublishEventRequestSchema } from "layotto-proto/runtime";
import { connect, formatAddress, listen, parseAddress, Status } from "layotto-transport";
import { afterEach, expect, test } from "vitest";
import { freePort } from "../brokers/server.ts";
import { Program } from "./program.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function start(script: string, args: readonly string[], env: Record<string, string> = {}): Program {
  const program = new Program(script, args, env);
  cleanups.push(() => {
    program.kill();
    return program.ended();
  });
  return program;
}

async function run(...args: string[]): Promise<readonly [code: number | null, stdout: string, stderr: string]> {
  const program = start("src/main.ts", args);
  return [await program.ended(), program.stdout, program.stderr];
}

/** A sidecar that writes down what is published, and refuses the pubsub `nope`. */
async function sidecar(): Promise<{ address: string; published: string[] }> {
  const published: string[] = [];
  const server = await listen(
    { host: "127.0.0.1", port: 0 },
    {
      handlers: {
        "/spec.proto.runtime.v1.Runtime/PublishEvent": (bytes, call) => {
          const { pubsubName, topic, data, dataContentType, metadata } = fromBinary(PublishEventRequestSchema, bytes);
          if (pubsubName === "nope") return call.fail(Status.INVALID_ARGUMENT, "pubsub nope not found");
          published.push(`${pubsubName} ${topic} ${Buffer.from(data)} ${dataContentType} ${JSON.stringify(metadata)}`);
          call.respond(new Uint8Array());
        },
      },
    },
  );
  cleanups.push(() => server.close(AbortSignal.abort()));
  return { address: formatAddress(server.address), published };
}

async function handOver(address: string, data: string, topic = "topic1"): Promise<void> {
  const [outcome] = await handOverAll(address, [data], topic);
  if (outcome?.status === "rejected") throw outcome.reason;
}

/** At once, on one connection. */
async function handOverAll(address: string, all: readonly string[], topic = "topic1"): Promise<readonly PromiseSettledResult<unknown>[]> {
  const client = connect(parseAddress(address) ?? { path: "" });
  const calls = all.map((data) => {
    const event = create(TopicEventRequestSchema, { id: "1", pubsubName: "redis", topic, data: Buffer.from(data) });
    return new Promise((resolve, reject) => {
      client.unary(
        "/spec.proto.runtime.v1.AppCallback/OnTopicEvent",
        toBinary(TopicEventRequestSchema, event),
        { response: resolve, failed: reject },
        { deadline: Date.now() + 10_000, waitForReady: true },
      );
    });
  });
  return Promise.allSettled(calls).finally(() => client.close());
}

test("version names this implementation", async () => {
  const [code, stdout] = await run("version");
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^layotto-sidecar \d+\.\d+\.\d+ \(Layotto in TypeScript, Node v\d/)]);
});

test("publish speaks to a running sidecar", async () => {
  const { address, published } = await sidecar();
  const [code, stdout] = await run("publish", "redis", "topic1", "v1", "-a", address, "--content-type", "a/b", "-m", "x=y=z");
  expect([code, stdout, published]).toEqual([0, "Published to topic1 in redis.\n", ['redis topic1 v1 a/b {"x":"y=z"}']]);
});

test.each([
  ["what the sidecar refuses", ["publish", "nope", "t", "v"], 1, "layotto: not published: INVALID_ARGUMENT: pubsub nope not found\n"],
  ["bad metadata", ["publish", "redis", "t", "v", "-m", "x"], 2, "layotto: --metadata x: expected NAME=VALUE\n"],
  ["an unknown command", ["fly"], 2, "error: unknown command 'fly'\n"],
] as const)("%s is an error with its exit code, and no stack trace", async (_, args, code, stderr) => {
  const { address, published } = await sidecar();
  const [ended, , error] = await run(...args, ...(args[0] === "publish" ? ["-a", address] : []));
  expect([ended, published]).toEqual([code, []]);
  expect(error.startsWith(stderr)).toBe(true);
  expect(error).not.toMatch(/\n {4}at /);
});

test("a sidecar that is not there is waited for, then told", async () => {
  const [code, , stderr] = await run("publish", "redis", "t", "v", "-a", `127.0.0.1:${await freePort()}`, "--timeout", "0.5");
  expect(code).toBe(1);
  expect(stderr).toMatch(/^layotto: not published: no sidecar answered at 127\.0\.0\.1:\d+ within 0\.5 s \(.*\)\. Is it running/);
});

test("subscribe takes the app's place, says so first, and prints what arrives", async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const program = start("src/main.ts", ["subscribe", "redis", "topic1", "--count", "1", "--app-address", address]);
  // The app's own stays, uncounted.
  await expect(handOver(address, "the app's", "other")).rejects.toMatchObject({ code: Status.UNIMPLEMENTED });
  await handOver(address, "hello");
  expect(await program.ended()).toBe(0);
  expect(program.stderr).toMatch(/^This takes the place of the app at /);
  expect(JSON.parse(program.stdout)).toMatchObject({ id: "1", topic: "topic1", data: "hello" });
});

test("subscribe takes no more than it was asked for, however many come at once", async () => {
  const address = `127.0.0.1:${await freePort()}`;
  const program = start("src/main.ts", ["subscribe", "redis", "topic1", "--count", "2", "--app-address", address]);
  const outcomes = await handOverAll(address, ["a", "b", "c", "d", "e"]);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected", "rejected"]);
  for (const outcome of outcomes) if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: Status.UNIMPLEMENTED });
  expect(await program.ended()).toBe(0);
  expect(
    program.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).data),
  ).toEqual(["a", "b"]);
});

test("subscribe fails if the app is there", async () => {
  const { address } = await sidecar();
  const [code, , stderr] = await run("subscribe", "redis", "topic1", "--app-address", address);
  expect(code).toBe(1);
  expect(stderr).toContain(`layotto: cannot take the app's place at ${address} (is the app running?)`);
});

test("the demo's publisher and subscriber print the quick start's lines", async () => {
  const { address, published } = await sidecar();
  const port = String(await freePort());
  const subscriber = start("demo/pubsub/redis/server/subscriber.ts", [], { appcallback_GRPC_PORT: port });
  await subscriber.printed(`Start listening on port ${port} ...... \n`);
  const publisher = start("demo/pubsub/redis/client/publisher.ts", [], { runtime_GRPC_PORT: address.split(":")[1] ?? "" });
  expect([await publisher.ended(), publisher.stdout]).toEqual([0, "Published a new event.Topic: topic1 ,Data: value1 \n"]);
  expect(published).toEqual(["redis topic1 value1 text/plain {}"]);
  await handOver(`127.0.0.1:${port}`, "value1");
  await subscriber.printed("Received a new event.Topic: topic1 , Data:value1 \n");
  subscriber.kill("SIGTERM");
  expect(await subscriber.ended()).toBe(0);
});

test.each([
  ["demo/pubsub/redis/client/publisher.ts", "npm run publisher [-- OPTIONS]: "],
  ["demo/pubsub/redis/server/subscriber.ts", "npm run subscriber [-- OPTIONS]: "],
  ["demo/same-app-every-broker/main.ts", "npm run demo: "],
])("%s --help tells its use, and does no more", async (script, usage) => {
  const program = start(script, ["--help"]);
  expect([await program.ended(), program.stderr]).toEqual([0, ""]);
  expect(program.stdout.startsWith(usage)).toBe(true);
});
