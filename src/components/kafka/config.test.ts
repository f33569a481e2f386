import { readFileSync, rmSync } from "node:fs";
import { beforeAll, describe, expect, test } from "vitest";
import { makeCertificates, opensslAvailable } from "../../../test/transport/certificates.ts";
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

const USER = { saslUsername: "u", saslPassword: "p" };

test("Dapr's word for PLAIN", () => {
  expect(parse({ saslMechanism: "plaintext" }).data?.saslMechanism).toBe("PLAIN");
});

describe.skipIf(opensslAvailable())("TLS", () => {
  const pem: Record<string, string> = {};
  beforeAll(() => {
    const { directory, ca, client, server } = makeCertificates();
    const files = { ca, cert: client.cert, key: client.key, other: server.cert };
    for (const [name, file] of Object.entries(files)) pem[name] = readFileSync(file, "utf8");
    pem.both = `${pem.key}${pem.cert}`;
    return () => rmSync(directory, { recursive: true });
  });
  /** With the texts in place of their names. */
  const filled = (more: Readonly<Record<string, unknown>>) =>
    Object.fromEntries(Object.entries(more).map(([key, value]) => [key, pem[String(value)] ?? value]));
  const CLIENT = { clientCert: "cert", clientKey: "key" };

  test.each<[more: Readonly<Record<string, unknown>>, authType: string, tls: boolean]>([
    // Layotto's files, which have no authType.
    [{}, "none", false],
    [{ authRequired: "false" }, "none", false],
    [{ authRequired: "false", caCert: "ca" }, "none", true],
    [{ authRequired: "false", skipVerify: "true" }, "none", true],
    [{ authRequired: "false", skipVerify: "false", caCert: "", clientCert: "", clientKey: "" }, "none", false],
    [{ authRequired: "false", ...CLIENT }, "none", true],
    [{ authRequired: "true", ...USER }, "password", false],
    [{ authRequired: "true", ...USER, authType: "" }, "password", false],
    [{ authRequired: "true", ...USER, caCert: "ca" }, "password", true],
    [{ authRequired: "true", ...USER, ...CLIENT }, "password", true],
    [{ authRequired: "true", ...USER, skipVerify: "true" }, "password", true],
    [{ authRequired: "true", ...USER, enableTLS: true }, "password", true],
    [{ authRequired: "true", ...USER, caCert: "ca", disableTls: "true" }, "password", false],
    [{ enableTLS: true }, "none", true],
    [{ enableTLS: true, disableTls: true }, "none", false],
    // Dapr's, where it is what decides.
    [{ authType: "none", skipVerify: true }, "none", false],
    [{ authType: "none", authRequired: "true" }, "none", false],
    [{ authType: "none", enableTLS: true, caCert: "ca" }, "none", true],
    [{ authType: "none", disableTls: true, caCert: "ca" }, "none", false],
    [{ authType: "password", ...USER }, "password", true],
    [{ authType: "password", ...USER, disableTls: true, caCert: "ca" }, "password", false],
    [{ authType: "mtls", ...CLIENT }, "mtls", true],
    [{ authType: "mtls", clientCert: "both", clientKey: "key" }, "mtls", true],
    [{ authType: "certificate", caCert: "ca" }, "certificate", true],
    [{ authType: "certificate", caCert: "ca", ...CLIENT }, "certificate", true],
  ])("%j: authType %s, by TLS: %s", (more, authType, tls) => {
    expect(problems(filled(more))).toBeUndefined();
    expect(parse(filled(more)).data).toMatchObject({ authType, tls });
  });

  test.each([
    [
      { authType: "none", caCert: "ca" },
      "authType: expected none to come with enableTLS, or no authType: without TLS caCert has no effect",
    ],
    [
      { authType: "none", ...CLIENT },
      "authType: expected none to come with enableTLS, or no authType: without TLS clientCert has no effect",
    ],
    [{ authType: "certificate", ...CLIENT }, "caCert: authType certificate needs it"],
    [{ authType: "mtls", caCert: "ca" }, "clientCert: authType mtls needs clientCert and clientKey"],
    [{ clientKey: "key" }, "clientCert: clientCert and clientKey belong together"],
    [{ clientCert: "both" }, "clientKey: clientCert and clientKey belong together"],
    [{ ...CLIENT, clientCert: "other" }, ": expected clientKey to be the key of clientCert"],
  ])("%j is refused by name", (more, problem) => {
    expect(problems(filled(more))).toEqual([problem]);
  });

  test.each(["caCert", "clientCert", "clientKey"])("%s that is no text of PEM is refused by name, and not repeated", (key) => {
    const cut = (pem[key === "caCert" ? "ca" : key === "clientCert" ? "cert" : "key"] ?? "").slice(0, 100);
    for (const text of ["/hush/file.pem", cut, "-----BEGIN CERTIFICATE-----\nhush\n-----END CERTIFICATE-----"]) {
      const found = problems(filled({ caCert: "ca", ...CLIENT, [key]: text }));
      expect(found).toEqual([expect.stringMatching(new RegExp(`^: expected ${key} to be the PEM text of a (certificate|private key)`))]);
      expect(found?.[0]).not.toMatch(/hush|MI[A-Z]/);
    }
  });
});

test.each([
  [{ authType: "password" }, "saslUsername: authType password needs it"],
  [{ authRequired: "true" }, "saslUsername: authType password needs it"],
  [USER, "authType: expected password, since there is a saslUsername; or none, to leave it aside"],
  [{ authType: "mtls" }, "clientCert: authType mtls needs clientCert and clientKey"],
  [{ authType: "certificate" }, "caCert: authType certificate needs it"],
  [{ authType: "oidc", oidcTokenEndpoint: "http://x", oidcClientID: "c" }, "oidcClientSecret: authType oidc needs it"],
  [
    { authType: "oidc", oidcTokenEndpoint: "x/token", oidcClientID: "c", oidcClientSecret: "s" },
    "oidcTokenEndpoint: expected a URL with http or https",
  ],
  [
    { authType: "oidc", oidcTokenEndpoint: "http://x", oidcClientID: "c", oidcClientSecret: "s", oidcExtensions: "[]" },
    "oidcExtensions: expected a JSON object of texts",
  ],
  [{ authType: "awsiam" }, "authType: expected one of none, password, mtls, oidc, certificate"],
  [{ excludeHeaderMetaRegex: "(" }, "excludeHeaderMetaRegex: expected a regular expression"],
  [{ excludeHeaderMetaRegex: "(?ii)a" }, "excludeHeaderMetaRegex: expected a regular expression"],
  [{ heartbeatInterval: "9s" }, "heartbeatInterval: expected at most a third of sessionTimeout"],
  [{ compression: "brotli" }, "compression: expected one of none, gzip, snappy, lz4, zstd"],
  [{ schemaRegistryURL: "http://x" }, "schemaRegistryURL: a schema registry is not supported: payloads travel as they are"],
])("%j is refused by name", (more, problem) => {
  expect(problems(more)).toEqual([problem]);
});
