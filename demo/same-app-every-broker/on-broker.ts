import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../test/brokers/server.ts";
import { Program } from "../../test/e2e/program.ts";
import type { Component } from "../../test/e2e/sidecar.ts";
import { untilRight } from "../../test/faults/until.ts";
import { type Numbered, REFUSED, type Tally, tally, written } from "./tally.ts";

const TOPIC = "orders";
const DEAD = "orders-dead";
const KEYS = ["apples", "pears", "plums"];
const OF_EACH = 20;
const REFUSED_NUMBER = 7;
const ARRIVES_MS = 60_000;

/** The quick start's subscriber and publisher, and a sidecar whose configuration names `component`: nothing else differs from broker to broker. */
export async function onBroker(component: Component): Promise<Tally> {
  const directory = mkdtempSync(join(tmpdir(), "layotto-demo-"));
  const [grpc, http, metrics, app] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const config = join(directory, "layotto.json");
  writeFileSync(
    config,
    JSON.stringify({
      app: { id: "app1", address: `127.0.0.1:${app}` },
      listen: { grpc: `127.0.0.1:${grpc}`, http: `127.0.0.1:${http}`, metrics: `127.0.0.1:${metrics}` },
      pubsubs: { broker: component },
      subscriptions: [
        {
          pubsub: "broker",
          topic: TOPIC,
          order: "key",
          deadLetterTopic: DEAD,
          retry: { first: "100ms", maxFailures: 3 },
        },
      ],
    }),
  );
  const messages = KEYS.flatMap((key, index) =>
    Array.from({ length: OF_EACH }, (_, at): Numbered => ({ key, number: at + 1, refused: index === 0 && at + 1 === REFUSED_NUMBER })),
  );
  const subscriber = new Program("demo/pubsub/redis/server/subscriber.ts", ["-s", "broker", "-t", TOPIC, "-t", DEAD, "-r", REFUSED], {
    appcallback_GRPC_PORT: String(app),
  });
  const sidecar = new Program("src/main.ts", ["start", "-c", config, "--data-dir", directory]);
  try {
    await subscriber.printed("Start listening on port");
    await sidecar.printed("layotto is ready");
    for (const key of KEYS) {
      const data = messages.filter((message) => message.key === key).flatMap((message) => ["-d", written(message)]);
      const publisher = new Program("demo/pubsub/redis/client/publisher.ts", ["-s", "broker", "-t", TOPIC, "-k", key, ...data], {
        runtime_GRPC_HOST: "127.0.0.1",
        runtime_GRPC_PORT: String(grpc),
      });
      if ((await publisher.ended()) !== 0) throw new Error(`the publisher failed: ${publisher.stderr}\n${sidecar.stdout.slice(-2_000)}`);
    }
    const now = () => tally(messages, subscriber.stdout.split("\n"), TOPIC, DEAD);
    // What is still wrong when the time is over is in the tally.
    await untilRight(() => now().problems[0], ARRIVES_MS).catch(() => undefined);
    return now();
  } finally {
    sidecar.kill("SIGTERM");
    await sidecar.ended();
    subscriber.kill("SIGTERM");
    await subscriber.ended();
    rmSync(directory, { recursive: true });
  }
}
