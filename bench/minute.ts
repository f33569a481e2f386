// npm run bench:minute: a minute of load on Redis. Memory stays flat, latency does not grow, and the metrics agree with what was sent, to the message.
import { load } from "../src/load/load.ts";
import { usageOf } from "../src/load/usage.ts";
import { startRedis } from "../test/brokers/redis.ts";
import { scrape } from "../test/e2e/scrape.ts";
import { freePorts, ours, PUBSUB, start } from "./sidecar.ts";

const SLICES = 6;
const SECONDS = 10;
const RATE = 2_500;

const redis = await startRedis({ extraArgs: ["--appendonly", "no"] });
const sidecar = await start(ours({ type: "redis", metadata: { redisHost: `127.0.0.1:${redis.port}` } }), await freePorts());
const topic = "minute";
let published = 0;
let delivered = 0;
try {
  // The first is the warm-up: counted, and its latency is not looked at.
  for (let slice = 0; slice <= SLICES; slice++) {
    const where = { sidecar: sidecar.address, app: sidecar.app, api: "layotto", pubsub: PUBSUB, topic, pid: () => sidecar.pid } as const;
    const report = await load({ ...where, inFlight: 256, rate: RATE, seconds: SECONDS, warmUpSeconds: 0, size: 256 });
    published += report.published;
    delivered += report.delivered ?? 0;
    const scraped = await scrape(sidecar.metrics);
    const mib = Math.round((usageOf(sidecar.pid)?.rssBytes ?? 0) / 2 ** 20);
    const rate = Math.round((report.delivered ?? 0) / (report.deliveredSeconds ?? report.seconds));
    const ms = (us = 0) => (us / 1_000).toFixed(2);
    console.log(
      `${slice * SECONDS} s: ${rate} delivered/s, end to end p50 ${ms(report.endToEnd?.p50)} ms, p99 ${ms(report.endToEnd?.p99)} ms; ${mib} MiB, heap ${Math.round((scraped.get("nodejs_heap_size_used_bytes") ?? 0) / 2 ** 20)} MiB; missing ${report.missing}, twice ${report.duplicates}, failed ${report.failed}`,
    );
  }
  const scraped = await scrape(sidecar.metrics);
  const of = (name: string, labels = `{pubsub="${PUBSUB}",topic="${topic}",group="app1"}`) => scraped.get(`${name}${labels}`) ?? Number.NaN;
  const counted = {
    published: of("layotto_published_messages_total", `{pubsub="${PUBSUB}",topic="${topic}"}`),
    delivered: of("layotto_delivered_messages_total"),
    acked: of("layotto_acked_messages_total"),
    lag: of("layotto_lag_messages"),
  };
  console.log(`metrics: ${JSON.stringify(counted)}`);
  console.log(`sent and received: ${JSON.stringify({ published, delivered })}`);
  const agree = counted.published === published && counted.delivered === delivered && counted.acked === delivered && counted.lag === 0;
  console.log(agree ? "they agree" : "they do not agree");
  process.exitCode = agree ? 0 : 1;
} finally {
  await sidecar.stop();
  await redis.stop();
}
