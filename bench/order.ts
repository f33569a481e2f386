// npm run bench:order -- [--rounds 5] [--seconds 5] [--keys 1000] [--on redis,kafka,embedded]: what order by key costs a message, at 64 in flight. The same load with and without it.
import { parseArgs } from "node:util";
import type { LoadReport } from "../src/load/load.ts";
import { kafkaAvailable, startKafka } from "../test/brokers/kafka.ts";
import { redisAvailable, startRedis } from "../test/brokers/redis.ts";
import { measured, median } from "./measured.ts";
import { type Component, ours } from "./sidecar.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "5" },
    keys: { type: "string", default: "1000" },
    on: { type: "string", default: "redis,kafka,embedded" },
  },
});
const [rounds, seconds, keys] = [Number(values.rounds), Number(values.seconds), Number(values.keys)];

const on = values.on.split(",");

/** Whether it is wanted, and can be had. */
function wanted(name: string, available: () => string | undefined): boolean {
  const missing = on.includes(name) ? available() : undefined;
  if (missing !== undefined) console.error(`without ${name}: ${missing}`);
  return on.includes(name) && missing === undefined;
}

const redis = wanted("redis", redisAvailable) ? await startRedis({ extraArgs: ["--appendonly", "no"] }) : undefined;
const kafka = wanted("kafka", kafkaAvailable) ? await startKafka({ quick: false }) : undefined;
const components: readonly Component[] = [
  ...(redis ? [{ type: "redis", metadata: { redisHost: `127.0.0.1:${redis.port}`, redisPassword: "" } }] : []),
  ...(kafka ? [{ type: "kafka", metadata: { brokers: `127.0.0.1:${kafka.port}` } }] : []),
  ...(on.includes("embedded") ? [{ type: "embedded", metadata: {} }] : []),
];
const orders = ["none", "key"] as const;
const reports = new Map<string, LoadReport[]>();
try {
  for (let round = 1; round <= rounds; round++) {
    for (const component of components) {
      for (const order of orders) {
        console.error(`round ${round} of ${rounds}: ${component.type}, order: ${order}`);
        const report = await measured(ours(component), { inFlight: 64, seconds, keys, order });
        const key = `${component.type} | ${order}`;
        reports.set(key, [...(reports.get(key) ?? []), report]);
      }
    }
  }
  console.log(`${keys} keys, 256 bytes, 64 in flight, ${rounds} interleaved rounds of ${seconds} s, medians.\n`);
  console.log("| broker | order | delivered/s | CPU a message | end to end p50 | lost |\n|---|---|---|---|---|---|");
  for (const [key, list] of reports) {
    const of = (read: (report: LoadReport) => number | undefined) => median(list.map((one) => read(one) ?? Number.NaN));
    const rate = Math.round(of((one) => (one.delivered ?? 0) / (one.deliveredSeconds ?? one.seconds)));
    const lost = list.reduce((sum, one) => sum + (one.missing ?? 0), 0);
    const cpu = `${of((one) => one.cpuPerMessage).toFixed(1)} µs`;
    console.log(`| ${key} | ${rate.toLocaleString("en")} | ${cpu} | ${(of((one) => one.endToEnd?.p50) / 1_000).toFixed(2)} ms | ${lost} |`);
  }
} finally {
  await redis?.stop();
  await kafka?.stop();
}
