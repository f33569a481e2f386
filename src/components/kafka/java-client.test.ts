import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type KafkaServer, startKafka } from "../../../test/brokers/kafka.ts";
import { jars } from "../../../test/brokers/maven.ts";
import { withKafka } from "../../../test/brokers/with-kafka.ts";
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
      await pubsub.ensure(b.topic, [b.request()], b.patience);
      const consume = () =>
        java(
          "consumer.ConsoleConsumer",
          ...["--topic", b.topic, "--group", "group1", "--consumer-property", "group.protocol=classic"],
          ...["--consumer-property", "partition.assignment.strategy=org.apache.kafka.clients.consumer.CooperativeStickyAssignor"],
          ...["--consumer-property", "heartbeat.interval.ms=200", "--consumer-property", "session.timeout.ms=3000"],
        );
      const theirs = consume();
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
            return theirs.lines.length;
          },
          { timeout: 60_000 },
        )
        .toBeGreaterThan(0);
      // It leads, and we come to it.
      const reading = await b.read(await b.open());
      const ours = () => {
        for (const one of reading.sink.seen) one.ack();
        return reading.sink.seen.map(textOf);
      };
      await shared(theirs.lines, ours);
      // We are alone, and it comes to us.
      const ended = once(theirs.child, "exit");
      theirs.child.kill("SIGTERM");
      await ended;
      const again = consume();
      await shared(again.lines, ours);
    },
    JAVA_MS,
  );
});
