import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { type RedisServer, startRedis } from "../../../test/brokers/redis.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { systemClock } from "../../pubsub/clock.ts";
import { redisOptions } from "./config.ts";
import { trim } from "./scripts.ts";
import { OneServer } from "./servers.ts";
import { Trimming } from "./trimming.ts";

withRedis("redis: trimming", () => {
  let redis: RedisServer;
  let servers: OneServer;
  beforeAll(async () => {
    redis = await startRedis();
    const options = redisOptions.parse({ redisHost: `127.0.0.1:${redis.port}` });
    const [host] = options.hosts;
    if (!host) throw new Error("the host was not understood");
    servers = new OneServer(options, host, "test", systemClock);
    servers.open();
    await vi.waitUntil(() => servers.of().up);
  });
  afterEach(() => redis.cli("FLUSHALL"));
  afterAll(async () => {
    servers.close();
    await redis.stop();
  });

  /** Trims, and tells what is left. */
  const left = async (retainMs = 0, ...ours: readonly string[]): Promise<readonly string[]> => {
    await trim.run(servers.of().write, ["t"], String(retainMs), ...ours);
    const rows = JSON.parse(await redis.cli("--json", "XRANGE", "t", "-", "+")) as readonly [string, unknown][];
    return rows.map(([id]) => id);
  };
  const add = async (...ids: readonly string[]) => {
    for (const id of ids) await redis.cli("XADD", "t", id, "data", "x");
  };
  const group = (name: string, at = "0") => redis.cli("XGROUP", "CREATE", "t", name, at);
  const read = (name: string, count: number) => redis.cli("XREADGROUP", "GROUP", name, "c", "COUNT", String(count), "STREAMS", "t", ">");
  const ack = (name: string, ...ids: readonly string[]) => redis.cli("XACK", "t", name, ...ids);

  test("all that is acknowledged goes in one round, however much it is", async () => {
    await redis.cli("EVAL", "for i = 1, 25000 do redis.call('XADD', 't', i .. '-1', 'data', 'x') end", "0");
    await redis.cli("XGROUP", "CREATE", "t", "g", "25000-0");
    const clock = new SteppedClock();
    const trimming = new Trimming(servers, redisOptions.parse({ redisHost: `127.0.0.1:${redis.port}` }), clock, () => ["g"]);
    trimming.touch("t");
    clock.advance(5_000);
    await expect.poll(() => redis.cli("XLEN", "t")).toBe("1");
    trimming.close();
  });

  test("without a group nothing is removed: whoever comes first shall find it", async () => {
    await add("1-1", "2-1");
    expect(await left()).toEqual(["1-1", "2-1"]);
  });

  test("what the only group acknowledged goes, what it has not read stays", async () => {
    await add("1-1", "2-1", "3-1");
    await group("g");
    await read("g", 2);
    await ack("g", "1-1", "2-1");
    expect(await left()).toEqual(["3-1"]);
  });

  test("what is not acknowledged stays, and all behind it", async () => {
    await add("1-1", "2-1", "3-1");
    await group("g");
    await read("g", 3);
    await ack("g", "1-1", "3-1");
    expect(await left()).toEqual(["2-1", "3-1"]);
  });

  test("a group that lags holds back, and a new one at the start holds everything", async () => {
    await add("1-1", "2-1", "3-1");
    for (const name of ["fast", "slow"]) await group(name);
    await read("fast", 3);
    await ack("fast", "1-1", "2-1", "3-1");
    await read("slow", 1);
    await ack("slow", "1-1");
    expect(await left()).toEqual(["2-1", "3-1"]);
    await group("new");
    await read("slow", 2);
    await ack("slow", "2-1", "3-1");
    expect(await left()).toEqual(["2-1", "3-1"]);
  });

  test("while a group of ours is gone nothing is removed: what it has not acknowledged is needed when it is made again", async () => {
    await add("1-1", "2-1");
    for (const name of ["ours", "other"]) await group(name);
    await read("other", 2);
    await ack("other", "1-1", "2-1");
    await redis.cli("XGROUP", "DESTROY", "t", "ours");
    expect(await left(0, "ours", "other")).toEqual(["1-1", "2-1"]);
    expect(await left(0, "other")).toEqual([]);
  });

  test("a group that was moved back keeps what it reads again, also while something later is not acknowledged", async () => {
    await add("1-1", "2-1", "3-1");
    await group("g");
    await read("g", 3);
    await ack("g", "1-1", "2-1");
    await redis.cli("XGROUP", "SETID", "t", "g", "1-1");
    expect(await left()).toEqual(["2-1", "3-1"]);
  });

  test("an id of twenty digits is compared as a number, not as a rounded one", async () => {
    const ids = ["1-18446744073709551613", "1-18446744073709551614", "2-0"];
    await add(...ids);
    await group("g");
    await read("g", 1);
    await ack("g", ids[0] ?? "");
    expect(await left()).toEqual(expect.arrayContaining(ids.slice(1)));
  });

  test("what is younger than retainMs stays for replay", async () => {
    await add("1-1");
    const young = await redis.cli("XADD", "t", "*", "data", "x");
    await group("g");
    await read("g", 2);
    await ack("g", "1-1", young);
    expect(await left(3_600_000)).toEqual([young]);
  });

  test("a topic that is not there is none", async () => {
    expect(await left()).toEqual([]);
  });
});
