import { expect, test } from "vitest";
import { redisOptions } from "./config.ts";

const parse = (options: object) => redisOptions.parse({ redisHost: "a:1,b:2", ...options });

test("with failover the hosts are Sentinels, whatever redisType is: Go Layotto takes several only with cluster", () => {
  const sentinels = { failover: "true", sentinelMasterName: "m", redisDB: "2" };
  for (const redisType of ["node", "cluster"]) expect(parse({ ...sentinels, redisType })).toMatchObject({ redisType: "node", redisDB: 2 });
});

test("a cluster has one database, whichever is asked for", () => {
  expect(parse({ redisType: "cluster", redisDB: "2" })).toMatchObject({ redisType: "cluster", redisDB: 0 });
});

test("a time of 0 is the default, as in Go's client", () => {
  const times = { dialTimeout: "0", readTimeout: "0s", redisMinRetryInterval: 0, redisMaxRetryInterval: "0" };
  const { dialTimeout, readTimeout, redisMinRetryInterval, redisMaxRetryInterval } = parse({ redisType: "cluster", ...times });
  expect([dialTimeout, readTimeout, redisMinRetryInterval, redisMaxRetryInterval]).toEqual([5_000, 3_000, 8, 512]);
});

test.each([-1, "-1"])("a time of %j, which is none in Dapr, is bounded all the same", (none) => {
  const times = { readTimeout: none, redisMinRetryInterval: none, redisMaxRetryInterval: none };
  expect(parse({ redisType: "cluster", ...times })).toMatchObject({
    readTimeout: 60_000,
    redisMinRetryInterval: 8,
    redisMaxRetryInterval: 512,
  });
});

test("what is neither a time nor -1 is told as that", () => {
  expect(() => parse({ redisType: "cluster", readTimeout: "-5s" })).toThrow("expected a duration such as 250ms, 15s or 1h30m, or -1");
});
