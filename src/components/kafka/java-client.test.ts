import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type KafkaServer, startKafka } from "../../../test/brokers/kafka.ts";
import { jars } from "../../../test/brokers/maven.ts";
import { withKafka } from "../../../test/brokers/with.ts";
import { Bench, textOf } from "../../conformance/bench.ts";
import { openKafka } from "./bench.fixture.ts";
import { definition } from "./index.ts";

const START_MS = 300_000;
const JAVA_MS = 120_000;
const TOOLS = "4.4.0";
const SMALL = [
  "-Xms32m",
  "-Xmx128m",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-XX:-UsePerfData",
  "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
];

/** Java's own client is what others on the same topics and in the same groups are, or imitate. */
withKafka("kafka: beside Java's client", () => {
  let kafka: KafkaServer;
  let lib: string;
  let bench: Bench;
  const running: ChildProcess[] = [];
  beforeAll(async () => {
    lib = await jars(`kafka-tools-${TOOLS}`, [`org.apache.kafka:kafka-tools:${TOOLS}`, "org.slf4j:slf4j-simple:1.7.36"]);
    kafka = await startKafka();
  }, START_MS);
  afterEach(async () => {
    for (const child of running.splice(0)) {
      const ended = child.exitCode === null && child.signalCode === null ? once(child, "exit") : undefined;
      child.kill("SIGKILL");
      await ended;
    }
    await bench.closeAll();
  });
  afterAll(() => kafka?.stop());

  function on(): Bench {
    const open = () => openKafka(kafka.port, { partitions: 4, heartbeatInterval: "200ms" });
    bench = new Bench({ name: "kafka", capabilities: definition.capabilities, leaseMs: 1_500, patienceMs: 60_000, gaps: [], open });
    return bench;
  }

  function java(tool: string, ...args: readonly string[]) {
    const child = spawn("java", [
      ...SMALL,
      "-cp",
      `${lib}/*`,
      `org.apache.kafka.tools.${tool}`,
      "--bootstrap-server",
      `127.0.0.1:${kafka.port}`,
      ...args,
    ]);
    running.push(child);
    const lines: string[] = [];
    let said = "";
    child.stdout.on("data", (text: Buffer) => lines.push(...text.toString().split("\n").filter(Boolean)));
    child.stderr.on("data", (text: Buffer) => {
      said += text;
    });
    return { child, lines, said: () => said };
  }

  /** In a group named like the topic. */
  function consume(topic: string, assignor = "CooperativeStickyAssignor") {
    const properties = [
      "group.protocol=classic",
      `partition.assignment.strategy=org.apache.kafka.clients.consumer.${assignor}`,
      "heartbeat.interval.ms=200",
      "session.timeout.ms=3000",
    ];
    const more = properties.flatMap((property) => ["--consumer-property", property]);
    return java("consumer.ConsoleConsumer", "--topic", topic, "--group", topic, ...more);
  }

  test.each(["gzip", "snappy", "lz4", "zstd"])(
    "what it has compressed by %s is read",
    async (codec) => {
      const b = on();
      const pubsub = await b.open();
      const reading = await b.read(pubsub);
      const producer = java("ConsoleProducer", "--topic", b.topic, "--compression-codec", codec, "--batch-size", "200");
      const sent = Array.from({ length: 100 }, (_, index) => `${index}:${"compressible ".repeat(20)}`);
      producer.child.stdin?.end(`${sent.join("\n")}\n`);
      const found = (await reading.sink.next(sent.length)).map(textOf);
      expect(found.sort(), producer.said()).toEqual([...sent].sort());
    },
    JAVA_MS,
  );

  test(
    "it reads what we publish, shares a group with us, whoever of us leads it, and neither gets what the other has",
    async () => {
      const b = on();
      const pubsub = await b.open();
      await pubsub.ensure(b.topic, [b.request({ group: b.topic })], b.patience);
      const theirs = consume(b.topic);
      let round = 0;
      /** A message for each of many keys, until both have some of them. */
      async function shared(lines: readonly string[], ours: () => readonly string[]): Promise<void> {
        const until = performance.now() + 60_000;
        for (;;) {
          round += 1;
          const sent = Array.from({ length: 20 }, (_, key) => `${round}:${key}`);
          await b.publish(pubsub, ...sent.map((data, key) => ({ data, key: `k${key}` })));
          const got = (all: readonly string[]) => all.filter((one) => one.startsWith(`${round}:`));
          await expect.poll(() => got(lines).length + got(ours()).length, { timeout: 60_000 }).toBe(sent.length);
          expect([...got(lines), ...got(ours())].sort()).toEqual([...sent].sort());
          if (got(lines).length > 0 && got(ours()).length > 0) return;
          if (performance.now() > until) throw new Error(`the group is not shared: ${theirs.said()}`);
        }
      }
      await expect
        .poll(
          async () => {
            await b.publish(pubsub, "first");
            return theirs.lines;
          },
          { timeout: 60_000 },
        )
        .toContain("first");
      // It leads, and we come to it.
      const reading = await b.read(await b.open(), { group: b.topic });
      const ours = () => {
        for (const one of reading.sink.seen) one.ack();
        return reading.sink.seen.map(textOf);
      };
      await shared(theirs.lines, ours);
      // We are alone, and it comes to us.
      const ended = once(theirs.child, "exit");
      theirs.child.kill("SIGTERM");
      await ended;
      const again = consume(b.topic);
      await shared(again.lines, ours);
    },
    JAVA_MS,
  );

  test(
    "a group whose readers share it in another way is told of, and joined once they are gone",
    async () => {
      const b = on();
      const pubsub = await b.open();
      await pubsub.ensure(b.topic, [b.request({ group: b.topic })], b.patience);
      const theirs = consume(b.topic, "RangeAssignor");
      await expect
        .poll(
          async () => {
            await b.publish(pubsub, "theirs");
            return [...theirs.lines, theirs.said()];
          },
          { timeout: 60_000 },
        )
        .toContain("theirs");
      const sink = b.recorder();
      const told: string[] = [];
      sink.interrupted = (error) => void (error && told.push(error.message));
      await b.read(await b.open(), { group: b.topic }, sink);
      await expect.poll(() => told.join("\n"), { timeout: 20_000 }).toMatch(/stop them first: INCONSISTENT_GROUP_PROTOCOL/);
      const ended = once(theirs.child, "exit");
      theirs.child.kill("SIGTERM");
      await ended;
      await b.publish(pubsub, "ours");
      await expect.poll(() => sink.seen.map(textOf), { timeout: 30_000 }).toContain("ours");
    },
    JAVA_MS,
  );
});
