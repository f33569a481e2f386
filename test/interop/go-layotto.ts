// npm run interop -- BINARY [redis|kafka]: what this sidecar and Go Layotto hand over to one another on one broker, field by field. BINARY is a Go Layotto.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createPublisher, createSubscriber, type Publisher, type ReceivedEvent, type Subscriber } from "layotto-sdk";
import { freePort } from "../brokers/server.ts";
import { Program } from "../e2e/program.ts";
import { GROUNDS, type Ground } from "./grounds.ts";
import { differences, expected, KINDS, type Sent, sent } from "./messages.ts";

const PUBSUB = "pub_subs_demo";
const COUNT = 1_000;
const PATIENCE_MS = 60_000;

const [binary, broker = "redis"] = process.argv.slice(2);
const make = GROUNDS[broker];
if (!binary || !make) {
  console.error("usage: npm run interop -- BINARY [redis|kafka]   (a Go Layotto)");
  process.exit(2);
}

/** What Go Layotto is known to lose: it decodes JSON into numbers of 53 bits and maps without an order, and encodes it anew. Anything else is a fault. */
const GO_LOSES: Readonly<Record<string, string>> = {
  "go→go json data": "numbers beyond 53 bits, and the order and spelling of members",
  "go→ts json data": "the same, lost by the Go side before it wrote the message",
  "ts→go json data": "the same, lost by the Go side when it read the message",
  "go→go cloudevents+json data": "as for JSON",
  "go→ts cloudevents+json data": "as for JSON, lost before it wrote the message",
  "ts→go cloudevents+json data": "as for JSON, lost when it read the message",
};

class Side {
  readonly name: "go" | "ts";
  readonly publisher: Publisher;
  readonly received: ReceivedEvent[] = [];
  readonly #program: Program;
  readonly #app: Subscriber;

  private constructor(name: "go" | "ts", program: Program, publisher: Publisher, app: Subscriber, received: ReceivedEvent[]) {
    this.name = name;
    this.#program = program;
    this.publisher = publisher;
    this.#app = app;
    this.received = received;
  }

  static async start(name: "go" | "ts", ground: Ground, directory: string, group: string, topic: string): Promise<Side> {
    const [grpc, http, app] = [await freePort(), await freePort(), await freePort()];
    const received: ReceivedEvent[] = [];
    // Go Layotto asks the app once, when it starts: the app is first.
    const subscriber = createSubscriber({ address: `127.0.0.1:${app}` }).subscribe(PUBSUB, topic, (event) => {
      received.push(event);
    });
    await subscriber.listen();
    const file = join(directory, `${name}-${topic}.json`);
    writeFileSync(file, configuration({ grpc, http, app }, ground, group));
    const args = ["start", "-c", file];
    const program =
      name === "ts"
        ? new Program("src/main.ts", [...args, "--metrics-port", "0", "--data-dir", directory])
        : new Program("start", args.slice(1), {}, binary, { cwd: directory });
    const publisher = createPublisher({ address: `127.0.0.1:${grpc}` });
    await publisher.publishEvent(PUBSUB, "warm-up", "x", { timeoutMs: PATIENCE_MS });
    return new Side(name, program, publisher, subscriber, received);
  }

  async stop(): Promise<void> {
    this.publisher.close();
    this.#program.kill("SIGTERM");
    await this.#program.ended();
    await this.#app.close(AbortSignal.timeout(5_000));
  }
}

function configuration(ports: { grpc: number; http: number; app: number }, ground: Ground, group: string): string {
  const grpc_config = { app: { app_id: group, grpc_callback_port: ports.app }, pub_subs: { [PUBSUB]: ground.component(group) } };
  const grpc = {
    name: "grpc",
    address: `127.0.0.1:${ports.grpc}`,
    bind_port: true,
    filter_chains: [{ filters: [{ type: "grpc", config: { server_name: "runtime", grpc_config } }] }],
  };
  const actuator = {
    name: "actuator",
    address: `127.0.0.1:${ports.http}`,
    bind_port: true,
    filter_chains: [{ filters: [{ type: "proxy", config: { router_config_name: "actuator_dont_need_router" } }] }],
    stream_filters: [{ type: "actuator_filter" }],
  };
  const routers = [{ router_config_name: "actuator_dont_need_router" }];
  const server = { default_log_path: "stdout", default_log_level: "ERROR", routers, listeners: [grpc, actuator] };
  return JSON.stringify({ servers: [server] });
}

async function publishAll(side: Side, topic: string): Promise<ReadonlyMap<string, Sent>> {
  const byMark = new Map<string, Sent>();
  for (let index = 0; index < COUNT; index++) {
    const message = sent(`${side.name}-${index}`, index);
    byMark.set(message.mark, message);
    await side.publisher.publishEvent(PUBSUB, topic, message.data, { contentType: message.contentType, metadata: message.metadata });
  }
  return byMark;
}

async function until(what: string, done: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!(await done())) {
    if (Date.now() > end) throw new Error(`waited ${PATIENCE_MS} ms for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const losses = new Map<string, number>();
let faults = 0;
let compared = 0;

function compare(events: readonly ReceivedEvent[], all: ReadonlyMap<string, Sent>, reader: "go" | "ts", topic: string): void {
  for (const event of events) {
    const mark = markOf(event);
    const message = all.get(mark);
    if (!message) {
      faults += 1;
      console.log(`fault: ${reader} was handed something that nobody sent: ${event.text().slice(0, 80)}`);
      continue;
    }
    compared += 1;
    const writer = mark.startsWith("go") ? "go" : "ts";
    for (const { field, found, wanted } of differences(event, expected(message, topic))) {
      const name = `${writer}→${reader} ${message.kind} ${field}`;
      losses.set(name, (losses.get(name) ?? 0) + 1);
      if (GO_LOSES[name]) continue;
      faults += 1;
      if (losses.get(name) === 1) console.log(`fault: ${name}: found ${found}, expected ${wanted}`);
    }
  }
}

/** An id that a sidecar made is known to nobody before: the two must hand over the same one. */
function compareIds(go: readonly ReceivedEvent[], ts: readonly ReceivedEvent[]): void {
  const idOf = new Map(go.map((event) => [markOf(event), event.id]));
  for (const event of ts) {
    if (idOf.get(markOf(event)) === event.id) continue;
    faults += 1;
    console.log(`fault: ${markOf(event)} has the id ${event.id} here and ${idOf.get(markOf(event))} there`);
  }
}

function markOf(event: ReceivedEvent): string {
  const text = event.contentType.startsWith("application/octet") ? event.text().slice(0, 16) : event.text();
  return /(go|ts)-\d+/.exec(text)?.[0] ?? "";
}

const directory = mkdtempSync(join(tmpdir(), "interop-"));
const ground = await make();
try {
  for (const groups of [["app-go", "app-ts"], ...(ground.shares ? [["shared", "shared"] as const] : [])] as const) {
    const topic = `interop-${groups[0]}`;
    const [go, ts] = [
      await Side.start("go", ground, directory, groups[0], topic),
      await Side.start("ts", ground, directory, groups[1], topic),
    ];
    const all = new Map([...(await publishAll(go, topic)), ...(await publishAll(ts, topic))]);
    const shared = groups[0] === groups[1];
    const arrived = () => new Set([...go.received, ...ts.received].map(({ id }) => id)).size;
    await until("every message", () => (shared ? arrived() >= all.size : go.received.length >= all.size && ts.received.length >= all.size));
    compare(go.received, all, "go", topic);
    compare(ts.received, all, "ts", topic);
    if (!shared) compareIds(go.received, ts.received);
    const ids = (side: Side) => new Set(side.received.map(({ id }) => id)).size;
    console.log(
      `${shared ? "one group" : "two groups"}: sent ${all.size}; go got ${go.received.length} (${ids(go)} ids), ts got ${ts.received.length} (${ids(ts)} ids)`,
    );
    const pendingNow = () => ground.unacknowledged(topic, groups[1]);
    // The last event was handed over before its acknowledgement reached the broker: a Go Layotto that is stopped in between leaves it.
    await until("the acknowledgements", async () => (await pendingNow()) === 0);
    await go.stop();
    await ts.stop();
    const pending = await pendingNow();
    console.log(`pending in ${groups[1]} afterwards: ${pending}`);
    if (pending !== 0) faults += 1;
  }
} finally {
  await ground.stop();
  rmSync(directory, { recursive: true });
}
console.log(`${compared} events of the kinds ${KINDS.join(", ")} compared in id, source, type, content type, topic and data`);
for (const [name, count] of losses) console.log(`  ${name}: ${count} differ. ${GO_LOSES[name] ?? "A fault."}`);
console.log(faults === 0 ? "no faults" : `${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
