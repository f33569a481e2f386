import { generateKeyPairSync } from "node:crypto";
import dns from "node:dns";
import { rootCertificates } from "node:tls";
import { afterEach, expect, test, vi } from "vitest";
import { freePort } from "../../../test/brokers/server.ts";
import { systemClock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { Connection, type Dialing } from "./connection.ts";

afterEach(() => vi.restoreAllMocks());

/** What it fails with. */
async function failure(more: Partial<Dialing>): Promise<unknown> {
  const dialing = { host: "127.0.0.1", port: 9092, clientId: "c", tls: undefined, dialTimeoutMs: 5_000, clock: systemClock };
  return Connection.dial({ ...dialing, ...more }).catch((error: unknown) => error);
}

test.each([
  ["a certificate that is none", { cert: "x", key: "hush" }],
  ["a key of another certificate", { cert: rootCertificates[0], key: keyOfNone() }],
])("%s is a mistake of the configuration", async (_, tls) => {
  const error = await failure({ tls });
  expect(error).toBeInstanceOf(PubSubError);
  expect(error).toMatchObject({ code: "invalid_argument", permanent: true, message: expect.stringMatching(/^127\.0\.0\.1:9092: error:/) });
  expect((error as Error).message).not.toContain(tls.key);
});

test.each([undefined, {}])("a port that is none is what a broker said, and may be said otherwise (TLS: %o)", async (tls) => {
  const error = await failure({ port: -1, tls });
  expect(error).toBeInstanceOf(PubSubError);
  expect(error).toMatchObject({ code: "unavailable", permanent: false });
});

test("of a name with several addresses it is told what is wrong with each", async () => {
  const addresses = [
    { address: "127.0.0.1", family: 4 },
    { address: "127.0.0.2", family: 4 },
  ];
  vi.spyOn(dns, "lookup").mockImplementation(((_name: string, _options: object, done: (error: null, found: object) => void) =>
    process.nextTick(done, null, addresses)) as never);
  const port = await freePort();
  const error = (await failure({ host: "two.invalid", port })) as PubSubError;
  expect(error.message).toBe(`two.invalid:${port}: connect ECONNREFUSED 127.0.0.1:${port}, connect ECONNREFUSED 127.0.0.2:${port}`);
});

function keyOfNone(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}
