import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { type AddressInfo, isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { provide } from "../../../test/brokers/debian.ts";
import { systemClock } from "../../pubsub/clock.ts";
import { type RedisOptions, redisOptions } from "./config.ts";
import { Dials } from "./dial.ts";
import { ReplyReader } from "./resp.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A certificate for `name`, a host's name or an address, and for nothing else. */
function certificateFor(name: string): { readonly cert: string; readonly key: string } {
  const directory = mkdtempSync(join(tmpdir(), "dial-"));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const fresh = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test"];
  const names = `subjectAltName=${isIP(name) === 0 ? "DNS" : "IP"}:${name}`;
  execFileSync("openssl", ["req", "-x509", ...fresh, "-keyout", key, "-out", cert, "-addext", names], { stdio: "ignore" });
  return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
}

/** A server, or a Sentinel that knows the master `master`, that shows a certificate for `name`. Resolves to the options of who trusts it. */
async function listen(name: string): Promise<{ readonly port: number; options(more: Readonly<Record<string, unknown>>): RedisOptions }> {
  const certificate = certificateFor(name);
  const server = createServer(certificate, (socket) => {
    socket.on("error", () => undefined);
    const reader = new ReplyReader((command) => {
      const [word, what] = (command as readonly Buffer[]).map(String);
      if (word === "ping") socket.write("+PONG\r\n");
      else socket.write(what === "sentinels" ? "*0\r\n" : "*2\r\n$6\r\nmaster\r\n$4\r\n6379\r\n");
    });
    socket.on("data", (chunk) => reader.push(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { port, options: (more) => redisOptions.parse({ enableTLS: true, caCert: certificate.cert, ...more }) };
}

const SENTINELS = { failover: true, sentinelMasterName: "main" };
const CLUSTER = { redisType: "cluster" };

const missing = provide("openssl", "openssl");
describe.skipIf(missing)(`redis: whom a certificate must name${missing ? ` (${missing})` : ""}`, () => {
  test.each([
    ["a server of a cluster that has a name: that, not the first that is configured", "localhost", CLUSTER, "first.invalid", "localhost"],
    ["a server of a cluster that announces an address: the name that is configured", "localhost", CLUSTER, "localhost", "127.0.0.1"],
    ["a master that Sentinels name: its own name", "localhost", SENTINELS, "first.invalid", "localhost"],
    ["a master that Sentinels know by an address: that address", "127.0.0.1", SENTINELS, "localhost", "127.0.0.1"],
  ])("%s", async (_, named, more, configured, host) => {
    const { port, options } = await listen(named);
    const dials = new Dials(options({ ...more, redisHost: `${configured}:${port}` }), systemClock);
    const socket = dials.to({ host: configured, port }, "test").connect({ host, port }) as TLSSocket;
    cleanups.push(() => socket.destroy());
    await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    expect(socket.authorized).toBe(true);
  });

  test("a master that Sentinels know by an address is not let off with the name of a Sentinel", async () => {
    const { port, options } = await listen("localhost");
    const dials = new Dials(options({ ...SENTINELS, redisHost: `localhost:${port}` }), systemClock);
    const socket = dials.to({ host: "localhost", port }, "test").connect({ host: "127.0.0.1", port });
    cleanups.push(() => socket.destroy());
    await expect(new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject))).rejects.toMatchObject({
      code: "ERR_TLS_CERT_ALTNAME_INVALID",
    });
  });

  test.each([
    ["its own name", "localhost", "first.invalid:1,localhost"],
    ["if it has only an address, that of the first", "localhost", "localhost:1,127.0.0.1"],
  ])("a Sentinel: %s", async (_, named, configured) => {
    const { port, options } = await listen(named);
    const dials = new Dials(options({ ...SENTINELS, redisHost: `${configured}:${port}`, dialTimeout: 1_000 }), systemClock);
    const where = dials.to({ host: "localhost", port }, "test").where(AbortSignal.timeout(5_000));
    expect(await where).toEqual({ host: "master", port: 6379 });
  });
});
