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
  const { dialTimeout, readTimeout } = parse({ redisType: "cluster", dialTimeout: "0", readTimeout: "0s" });
  expect([dialTimeout, readTimeout]).toEqual([5_000, 3_000]);
});
