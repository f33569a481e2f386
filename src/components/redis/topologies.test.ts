import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { provide } from "../../../test/brokers/debian.ts";
import { type RedisServer, type RedisServerOptions, startRedis } from "../../../test/brokers/redis.ts";
import { startPair } from "../../../test/brokers/redis-cluster.ts";
import { freePort } from "../../../test/brokers/server.ts";
import { withRedis } from "../../../test/brokers/with.ts";
import { type Bench, textOf } from "../../conformance/bench.ts";
import { benchOn, openRedis } from "./bench.fixture.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function server(options: RedisServerOptions = {}): Promise<RedisServer> {
  const redis = await startRedis(options);
  cleanups.push(() => redis.stop());
  return redis;
}

function bench(metadata: Readonly<Record<string, unknown>>): Bench {
  const made = benchOn(metadata);
  cleanups.push(() => made.closeAll());
  return made;
}

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), "topologies-"));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  return directory;
}

withRedis("redis: where it runs", () => {
  test("a cluster: topics live on whichever server has them, and are found from any", async () => {
    const [first, second] = await startPair(server);
    const b = bench({ redisHost: `127.0.0.1:${first.port}`, redisType: "cluster" });
    const pubsub = await b.open();
    expect((await pubsub.inspect(AbortSignal.timeout(5_000))).filter(({ level }) => level === "refuse")).toEqual([]);
    const topics = Array.from({ length: 24 }, (_, index) => `${b.topic}-${index}`);
    for (const topic of topics) {
      const reading = await b.read(pubsub, { topic });
      await first.cli("-c", "XADD", topic, "*", "data", topic);
      const delivery = await reading.sink.one();
      expect(textOf(delivery)).toBe(topic);
      delivery.ack();
      await b.flush(reading);
      expect(await first.cli("-c", "XPENDING", topic, "group1")).toMatch(/^0/);
    }
    for (const topic of [`{${b.topic}}ordered`, `${b.topic}}ordered`]) {
      const reading = await b.read(pubsub, { topic, order: "key" });
      await first.cli("-c", "XADD", topic, "*", "data", topic);
      const delivery = await reading.sink.one();
      expect([textOf(delivery), delivery.move]).toEqual([topic, undefined]);
      delivery.ack();
      await b.leave(reading);
    }
    expect(new Set(await pubsub.admin?.topics?.(`${b.topic}-*`))).toEqual(new Set(topics));
    for (const one of [first, second]) expect(Number(await one.cli("DBSIZE"))).toBeGreaterThan(0);
    await b.publish(pubsub, "x");
    expect(await first.cli("-c", "XLEN", b.topic)).toBe("1");
  }, 60_000);

  test("Sentinel: after a failover publishing and reading go on with the new master", async () => {
    const master = await server();
    const replica = await server({ extraArgs: ["--replicaof", "127.0.0.1", String(master.port)] });
    await expect.poll(() => replica.cli("INFO", "replication"), { timeout: 10_000 }).toContain("master_link_status:up");
    const sentinelConfig = join(temporary(), "sentinel.conf");
    writeFileSync(sentinelConfig, `sentinel monitor main 127.0.0.1 ${master.port} 1\nsentinel down-after-milliseconds main 1000\n`);
    const sentinel = await server({ sentinelConfig });
    await expect.poll(() => sentinel.cli("SENTINEL", "REPLICAS", "main"), { timeout: 15_000 }).toContain(String(replica.port));
    const b = bench({ redisHost: `127.0.0.1:${sentinel.port}`, failover: true, sentinelMasterName: "main" });
    const pubsub = await b.open();
    const reading = await b.read(pubsub);
    await b.publish(pubsub, "before");
    (await reading.sink.one()).ack();
    await b.flush(reading);
    // A Sentinel that has only just met the replica may say that there is none good enough yet.
    const failover = () => sentinel.cli("SENTINEL", "FAILOVER", "main").catch((error: unknown) => String(error));
    await expect.poll(failover, { timeout: 20_000 }).toBe("OK");
    await expect.poll(() => replica.cli("INFO", "replication"), { timeout: 20_000 }).toContain("role:master");
    const publish = () => b.publish(pubsub, "after").then(() => true, String);
    await expect.poll(publish, { timeout: 20_000, interval: 200 }).toBe(true);
    expect(textOf(await reading.sink.one())).toBe("after");
    expect(await replica.cli("XLEN", b.topic)).not.toBe("0");
  }, 60_000);

  test("Sentinels that were not named are told of by those that were, and one that names a server that is no master, or is away, is not the last word", async () => {
    const master = await server();
    const replica = await server({ extraArgs: ["--replicaof", "127.0.0.1", String(master.port)] });
    await expect.poll(() => replica.cli("INFO", "replication"), { timeout: 10_000 }).toContain("master_link_status:up");
    const sentinelOf = (port: number) => {
      const sentinelConfig = join(temporary(), "sentinel.conf");
      writeFileSync(sentinelConfig, `sentinel monitor main 127.0.0.1 ${port} 1\n`);
      return server({ sentinelConfig });
    };
    const named = await sentinelOf(master.port);
    const other = await sentinelOf(master.port);
    await expect.poll(() => named.cli("SENTINEL", "SENTINELS", "main"), { timeout: 20_000 }).toContain(String(other.port));
    const b = bench({ redisHost: `127.0.0.1:${named.port}`, failover: true, sentinelMasterName: "main" });
    const pubsub = await b.open();
    await b.publish(pubsub, "first");
    await named.stop();
    await master.cli("CLIENT", "KILL", "TYPE", "normal");
    const publish = () => b.publish(pubsub, "second").then(() => true, String);
    await expect.poll(publish, { timeout: 20_000, interval: 200 }).toBe(true);
    const wrong = await sentinelOf(replica.port);
    const late = await sentinelOf(await freePort());
    const redisHost = [wrong, late, other].map(({ port }) => `127.0.0.1:${port}`).join(",");
    const misled = openRedis({ redisHost, failover: true, sentinelMasterName: "main" });
    cleanups.push(() => misled.close(AbortSignal.timeout(5_000)));
    const ping = () => misled.ping(AbortSignal.timeout(10_000)).then(() => true, String);
    await expect.poll(ping, { timeout: 20_000 }).toBe(true);
    expect(await master.cli("CLIENT", "LIST")).toContain("layotto:");
  }, 60_000);

  test("a Sentinel that was right is asked first: those that are away cost nothing when a connection is made anew", async () => {
    let asked = 0;
    const away = createServer((socket) => {
      asked += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => away.listen(0, "127.0.0.1", resolve));
    cleanups.push(() => away.close());
    const { port } = away.address() as AddressInfo;
    const master = await server();
    const sentinelConfig = join(temporary(), "sentinel.conf");
    writeFileSync(sentinelConfig, `sentinel monitor main 127.0.0.1 ${master.port} 1\n`);
    const sentinel = await server({ sentinelConfig });
    const b = bench({ redisHost: `127.0.0.1:${port},127.0.0.1:${sentinel.port}`, failover: true, sentinelMasterName: "main" });
    const pubsub = await b.open();
    expect(asked).toBe(1);
    await master.cli("CLIENT", "KILL", "TYPE", "normal");
    const publish = () => b.publish(pubsub, "x").then(() => true, String);
    await expect.poll(publish, { timeout: 20_000 }).toBe(true);
    expect(asked).toBe(1);
  }, 30_000);

  const missing = provide("openssl", "openssl");
  test.skipIf(missing)(
    `TLS: the authority decides whom we trust${missing ? ` (${missing})` : ""}`,
    async () => {
      const directory = temporary();
      const [key, cert, other] = ["key.pem", "cert.pem", "other.pem"].map((name) => join(directory, name)) as [string, string, string];
      const selfSigned = (out: string, keyOut: string) =>
        execFileSync(
          "openssl",
          ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", keyOut, "-out", out].concat([
            "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1",
          ]),
          { stdio: "ignore" },
        );
      selfSigned(cert, key);
      selfSigned(other, join(directory, "other-key.pem"));
      const port = await freePort();
      const files = ["--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no"];
      await server({ extraArgs: ["--tls-port", String(port), ...files] });
      const common = { redisHost: `localhost:${port}`, enableTLS: true };
      const b = bench({ ...common, caCert: readFileSync(cert, "utf8") });
      const pubsub = await b.open();
      const reading = await b.read(pubsub);
      await b.publish(pubsub, "a");
      expect(textOf(await reading.sink.one())).toBe("a");
      for (const [metadata, reason] of [
        [{ caCert: readFileSync(other, "utf8") }, /self-signed|certificate/i],
        [{}, /self-signed|certificate/i],
        [{ enableTLS: false }, /lost|closed|reset|not connected/i],
      ] as const) {
        const refused = openRedis({ ...common, ...metadata });
        cleanups.push(() => refused.close(AbortSignal.timeout(5_000)));
        await expect(refused.ping(AbortSignal.timeout(5_000))).rejects.toThrow(reason);
      }
      const careless = openRedis({ ...common, insecureSkipTLSVerify: true });
      cleanups.push(() => careless.close(AbortSignal.timeout(5_000)));
      await careless.ping(AbortSignal.timeout(5_000));
    },
    30_000,
  );
});
