import { afterEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { ask } from "./ask.ts";
import { Cluster } from "./cluster.ts";
import { redisOptions } from "./config.ts";
import { Dials } from "./dial.ts";
import { playRedis } from "./played-redis.fixture.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test("however often servers say that slots have moved, the layout is asked for ten times a second at most", async () => {
  let asked = 0;
  const redis = await playRedis((command) => {
    if (command !== "cluster") return "+OK\r\n";
    asked += 1;
    return `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${redis.port}\r\n`;
  });
  const clock = new SteppedClock();
  const options = redisOptions.parse({ redisHost: `127.0.0.1:${redis.port}`, redisType: "cluster" });
  const cluster = new Cluster(options, "test", clock);
  cleanups.push(
    () => redis.close(),
    () => cluster.close(),
  );
  const layouts: (() => void)[] = [];
  cluster.onChange(() => layouts.shift()?.());
  const layout = () => new Promise<void>((resolve) => layouts.push(resolve));
  const first = layout();
  cluster.open();
  await first;
  const dial = new Dials(options, clock).to({ host: "127.0.0.1", port: redis.port }, "test");
  for (let times = 0; times < 20; times++) {
    cluster.moved();
    // A question that was on its way would be there before this one is answered, or the next.
    await ask(dial, 1e6, (server) => server.call("ping"), AbortSignal.timeout(5_000));
  }
  clock.advance(99);
  expect(asked).toBe(1);
  const second = layout();
  clock.advance(1);
  await second;
  expect(asked).toBe(2);
  clock.advance(400);
  const third = layout();
  cluster.moved();
  await third;
  expect(asked).toBe(3);
});
