import { expect, test } from "vitest";
import { kafkaOptions } from "./config.ts";

const parse = (more: Readonly<Record<string, unknown>> = {}) => kafkaOptions.safeParse({ brokers: "localhost", ...more });
const problems = (more: Readonly<Record<string, unknown>>) =>
  parse(more).error?.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);

test("brokers with and without ports, and addresses in brackets", () => {
  expect(parse({ brokers: "a:1, b ,[::1]:9093" }).data?.hosts).toEqual([
    { host: "a", port: 1 },
    { host: "b", port: 9092 },
    { host: "::1", port: 9093 },
  ]);
  expect(problems({ brokers: "a:1,:2" })).toEqual(["brokers: expected host:port, or a comma list of them"]);
});

test("Layotto's older word for a password", () => {
  expect(parse({ authRequired: "true", saslUsername: "u", saslPassword: "p" }).data?.authType).toBe("password");
  expect(parse({ authRequired: "false" }).data?.authType).toBe("none");
});

test.each([
  [{ authType: "password" }, "saslUsername: authType password needs it"],
  [{ authType: "mtls" }, "clientCert: authType mtls needs clientCert and clientKey"],
  [{ clientKey: "k" }, "clientCert: clientCert and clientKey belong together"],
  [{ authType: "oidc", oidcTokenEndpoint: "http://x", oidcClientID: "c" }, "oidcClientSecret: authType oidc needs it"],
  [
    { authType: "oidc", oidcTokenEndpoint: "http://x", oidcClientID: "c", oidcClientSecret: "s", oidcExtensions: "[]" },
    "oidcExtensions: expected a JSON object of texts",
  ],
  [{ authType: "awsiam" }, "authType: expected one of none, password, mtls, oidc, certificate"],
  [{ excludeHeaderMetaRegex: "(" }, "excludeHeaderMetaRegex: expected a regular expression"],
  [{ heartbeatInterval: "9s" }, "heartbeatInterval: expected at most a third of sessionTimeout"],
  [{ compression: "brotli" }, "compression: expected one of none, gzip, snappy, lz4, zstd"],
  [{ schemaRegistryURL: "http://x" }, "schemaRegistryURL: a schema registry is not supported: payloads travel as they are"],
])("%o is refused by name", (more, problem) => {
  expect(problems(more)).toEqual([problem]);
});
