import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { provide } from "../../../test/brokers/debian.ts";
import { type KafkaServer, startKafka } from "../../../test/brokers/kafka.ts";
import { withKafka } from "../../../test/brokers/with.ts";
import { Bench, textOf } from "../../conformance/bench.ts";
import { openKafka } from "./bench.fixture.ts";
import { definition } from "./index.ts";

const START_MS = 300_000;
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const USER = { saslUsername: "layo,tto=", saslPassword: "pä ss" };

const unencrypted = Buffer.from('{"alg":"none"}').toString("base64url");
const tokenFor = (claims: object): string => `${unencrypted}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.`;

withKafka("kafka: who we are, and whom we trust", () => {
  let kafka: KafkaServer;
  let sasl = 0;
  let ssl = 0;
  const directory = mkdtempSync(join(tmpdir(), "kafka-tls-"));
  const [key, cert, both, other] = ["key.pem", "cert.pem", "both.pem", "other.pem"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
    string,
  ];
  const pem = (file: string) => readFileSync(file, "utf8");

  function selfSigned(out: string, keyOut: string): void {
    const what = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
    execFileSync("openssl", [...what, "-keyout", keyOut, "-out", out, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"], {
      stdio: "ignore",
    });
  }

  beforeAll(async () => {
    const missing = provide("openssl", "openssl");
    if (missing !== undefined) throw new Error(missing);
    selfSigned(cert, key);
    selfSigned(other, join(directory, "other-key.pem"));
    writeFileSync(both, pem(key) + pem(cert));
    const jaas = "org.apache.kafka.common.security";
    const at = "listener.name.sasl_plaintext";
    kafka = await startKafka({
      secured: ["SASL_PLAINTEXT", "SSL"],
      scram: [`SCRAM-SHA-256=[name=scram,password=${USER.saslPassword}]`, "SCRAM-SHA-512=[name=scram,password=longer]"],
      properties: {
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        [`${at}.plain.sasl.jaas.config`]:
          `${jaas}.plain.PlainLoginModule required "user_${USER.saslUsername}"="${USER.saslPassword}";`.replaceAll("ä", "\\u00e4"),
        [`${at}.scram-sha-256.sasl.jaas.config`]: `${jaas}.scram.ScramLoginModule required;`,
        [`${at}.scram-sha-512.sasl.jaas.config`]: `${jaas}.scram.ScramLoginModule required;`,
        [`${at}.oauthbearer.sasl.jaas.config`]: `${jaas}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="x";`,
        // Shorter than the test, so that a sign-in runs out in it.
        "connections.max.reauth.ms": 1_500,
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": both,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": cert,
        "ssl.client.auth": "requested",
      },
    });
    [sasl = 0, ssl = 0] = kafka.securedPorts;
  }, START_MS);
  afterAll(async () => {
    await kafka?.stop();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Publishes and reads over what these options open. */
  async function works(port: number, metadata: Readonly<Record<string, unknown>>, times = 1): Promise<void> {
    const open = () => openKafka(port, metadata);
    const bench = new Bench({ name: "kafka", capabilities: definition.capabilities, leaseMs: 1_500, gaps: [], open });
    try {
      const pubsub = await bench.open();
      const reading = await bench.read(pubsub);
      for (let time = 0; time < times; time++) {
        await bench.publish(pubsub, `m${time}`);
        const one = await reading.sink.one();
        expect(textOf(one)).toBe(`m${time}`);
        one.ack();
        // A sign-in outlives its time only by time.
        if (times > 1) await new Promise((resolve) => setTimeout(resolve, 500));
      }
      expect(reading.sink.lostOnes).toEqual([]);
    } finally {
      await bench.closeAll();
    }
  }
  const refused = (port: number, metadata: Readonly<Record<string, unknown>>) => expect(openKafka(port, metadata)).rejects;
  const password = { authType: "password", disableTls: true };

  test(
    "by PLAIN, and what a sign-in outlives is signed in anew, under the reader's feet",
    () => works(sasl, { ...password, ...USER }, 8),
    60_000,
  );

  test("by Dapr's PLAINTEXT", () => works(sasl, { ...password, ...USER, saslMechanism: "PLAINTEXT" }));

  test("as Layotto's files say it, without TLS, which is warned of", async () => {
    const risks = async (metadata: Readonly<Record<string, unknown>>) => {
      const pubsub = await openKafka(sasl, metadata);
      try {
        return (await pubsub.inspect(AbortSignal.timeout(10_000))).map(({ level, id }) => `${level} ${id}`);
      } finally {
        await pubsub.close(AbortSignal.timeout(5_000));
      }
    };
    const finding = "warn kafka.plaintext-password";
    expect(await risks({ authRequired: "true", ...USER })).toContain(finding);
    expect(await risks({ ...password, ...USER })).toContain(finding);
    const scram = { authRequired: "true", ...USER, saslUsername: "scram", saslMechanism: "SCRAM-SHA-256" };
    expect(await risks(scram)).not.toContain(finding);
  });

  test.each([
    ["SCRAM-SHA-256", USER.saslPassword],
    ["SCRAM-SHA-512", "longer"],
    ["SHA-512", "longer"],
  ])("by %s", (saslMechanism, saslPassword) => works(sasl, { ...password, saslUsername: "scram", saslMechanism, saslPassword }));

  test("a wrong password is told, and is not in what is told", async () => {
    for (const saslMechanism of ["PLAIN", "SCRAM-SHA-256"]) {
      const wrong = { ...password, saslUsername: "scram", saslPassword: "s3cret", saslMechanism };
      await refused(sasl, wrong).toThrow(
        expect.objectContaining({ code: "unauthenticated", message: expect.not.stringContaining("s3cret") }),
      );
    }
  });

  test("by a token from an endpoint, which is asked with our scopes", async () => {
    const asked: string[] = [];
    const endpoint = createServer((request, response) => {
      request.on("data", (bytes: Buffer) => asked.push(bytes.toString()));
      request.on("end", () => {
        const now = Math.floor(Date.now() / 1_000);
        response.end(JSON.stringify({ access_token: tokenFor({ sub: "us", iat: now, exp: now + 600 }), expires_in: 600 }));
      });
    }).listen(0, "127.0.0.1");
    await once(endpoint, "listening");
    const oidcTokenEndpoint = `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/token`;
    const oidc = { authType: "oidc", disableTls: true, oidcTokenEndpoint, oidcClientID: "c", oidcClientSecret: "s", oidcScopes: "a,b" };
    await works(sasl, oidc);
    expect(Object.fromEntries(new URLSearchParams(asked[0]))).toEqual({
      grant_type: "client_credentials",
      client_id: "c",
      client_secret: "s",
      scope: "a b",
    });
    endpoint.close();
    await refused(sasl, oidc).toThrow(/gives no token/);
  });

  test("by certificate, over TLS", async () => {
    const mutual = { authType: "mtls", caCert: pem(cert), clientCert: pem(cert), clientKey: pem(key) };
    await works(ssl, mutual);
    await refused(ssl, { ...mutual, caCert: pem(other) }).toThrow(/self-signed|certificate/i);
    await refused(ssl, { ...mutual, clientCert: pem(other), clientKey: pem(join(directory, "other-key.pem")) }).toThrow();
    await works(ssl, { ...mutual, caCert: "", skipVerify: true });
    await works(ssl, { ...mutual, authType: "" });
  });

  test("by nobody's certificate, over TLS", async () => {
    await works(ssl, { authType: "certificate", caCert: pem(cert) });
    await works(ssl, { authRequired: "false", caCert: pem(cert) });
    await works(ssl, { authRequired: "false", skipVerify: "true" });
    await refused(ssl, { authType: "certificate", caCert: pem(other) }).toThrow(/self-signed|certificate/i);
  });

  test("a broker that wants another way in is told apart from one that is away", async () => {
    await refused(ssl, {}).toThrow(/closed|not answered|no answer|TLS|lost/i);
    await refused(sasl, {}).toThrow();
    await refused(kafka.port, { ...password, ...USER }).toThrow(expect.objectContaining({ code: "unauthenticated" }));
  });
});
