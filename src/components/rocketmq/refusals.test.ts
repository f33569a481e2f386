import { describe, expect, test } from "vitest";
import { rocketmqOptions } from "./config.ts";
import { checkNames } from "./entities.ts";
import { filterOf } from "./filter.ts";
import { mended } from "./handle.ts";
import { MessageIds } from "./message-id.ts";
import { readJson } from "./remoting.ts";
import { signed } from "./signature.ts";

const refused = (options: object): readonly string[] =>
  (rocketmqOptions.safeParse(options).error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);

describe("options", () => {
  test.each([
    [{}, /^endpoints: expected host:port of the gRPC proxy/],
    [{ nameServer: "127.0.0.1:9876" }, /^endpoints: .* which the nameServer does not tell/],
    [{ endpoints: "a:65536" }, /^endpoints: expected host:port .* from 1 to 65535/],
    [{ endpoints: "a:1", nameServer: "b:9876;c:99999" }, /^nameServer: expected host:port, the port from 1 to 65535/],
    [{ endpoints: "a:1", nameServer: "b:0" }, /^nameServer: expected host:port, the port from 1 to 65535/],
    [{ endpoints: "a:1", lease: "9s" }, /^lease: expected at least 10s/],
    [{ endpoints: "a:1", lease: "10s", pollTimeout: "6s" }, /^pollTimeout: expected at most half of the lease, /],
    [{ endpoints: "a:1", accessKey: "a" }, /^secretKey: accessKey and secretKey belong together/],
    [{ endpoints: "a:1", consumerModel: "broadcasting" }, /^consumerModel: broadcasting is a group of its own/],
    [{ endpoints: "a:1", consumeOrderly: "true" }, /^consumeOrderly: ask for it in the subscription/],
    [{ endpoints: "a:1", nameServerDomain: "http://x" }, /^nameServerDomain: /],
  ])("%j is refused, and the text says what to do", (options, text) => {
    expect(refused(options).join("\n")).toMatch(text);
  });

  test("what Layotto's own files hold is taken", () => {
    const layotto = {
      nameServer: "127.0.0.1:9876",
      consumerGroup: "g",
      producerGroup: "p",
      retries: "3",
      consumerModel: "clustering",
      nameSpace: "",
    };
    const { proxies, nameServers, managed, sendTimeoutMs } = {
      managed: true,
      ...rocketmqOptions.parse({ ...layotto, endpoints: "a;http://b:99,[::1]:7" }),
    };
    expect(proxies).toEqual([
      { host: "a", port: 8081 },
      { host: "b", port: 99 },
      { host: "::1", port: 7 },
    ]);
    expect([nameServers, managed, sendTimeoutMs]).toEqual([[{ host: "127.0.0.1", port: 9876 }], true, 30_000]);
  });
});

test("a topic and a group whose names are too long together are refused: RocketMQ could not give anything again", () => {
  expect(() => checkNames("t".repeat(60), "g".repeat(59))).not.toThrow();
  expect(() => checkNames("t".repeat(60), "g".repeat(60))).toThrow(/has at most 127: choose shorter names/);
});

test("filters are by tag or by SQL, and by nothing else", () => {
  expect(filterOf({})).toEqual({ type: 1, expression: "*" });
  expect(filterOf({ "rocketmq-tag": "a" })).toEqual({ type: 1, expression: "a" });
  expect(filterOf({ "rocketmq-sub-type": "SQL92", "rocketmq-sub-expression": "a = 1" })).toEqual({ type: 2, expression: "a = 1" });
  expect(() => filterOf({ "rocketmq-sub-type": "sql92" })).toThrow(/rocketmq-sub-expression is missing/);
  expect(() => filterOf({ "rocketmq-sub-type": "regex" })).toThrow(/"regex", expected tag or sql92/);
});

test("a renewed lease's handle names the message itself, not where its batch began; others are left alone", () => {
  expect(mended("1 1795643755818 10000 2 0 broker-a 7 3 0 49774")).toBe("3 1795643755818 10000 2 0 broker-a 7 3 0 49774");
  for (const one of ["3 1 10000 2 0 b 7 3 0", "1 1 10000 999 0 b 7 3 0", "of another form", ""]) expect(mended(one)).toBe(one);
});

test("a call is signed as RocketMQ's own clients sign it", () => {
  const fields = Object.fromEntries(signed({ accessKey: "ak", secretKey: "sk", securityToken: "st" }, Date.UTC(2026, 10, 25, 21, 30, 27)));
  expect(fields).toEqual({
    "x-mq-date-time": "20261125T213027Z",
    "x-mq-session-token": "st",
    authorization: "MQv2-HMAC-SHA1 Credential=ak, SignedHeaders=x-mq-date-time, Signature=DCF5632C2B7353BCA7FD4A3880BE9604F5F6C42A",
  });
});

test("maps whose keys are numbers are read", () => {
  expect(readJson('{"brokerAddrs":{0:"127.0.0.1:1", 1:"b:2"},"n":-1}')).toEqual({ brokerAddrs: { 0: "127.0.0.1:1", 1: "b:2" }, n: -1 });
});

test("message ids are unique, and of the form of RocketMQ's own", () => {
  const ids = new MessageIds();
  const some = Array.from({ length: 1_000 }, () => ids.next(Date.now()));
  expect(new Set(some).size).toBe(1_000);
  for (const id of some) expect(id).toMatch(/^01[0-9A-F]{32}$/);
});
