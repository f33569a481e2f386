import { once } from "node:events";
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createSecureServer } from "node:http2";
import { connect as dial } from "node:net";
import { join } from "node:path";
import { type PeerCertificate, type TLSSocket, connect as tlsConnect } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Certificates, makeCertificates, opensslAvailable, SERVER_NAME } from "../../test/transport/certificates.ts";
import { type RpcError, Status, type UnaryHandler } from "./index.ts";
import { addressOf, answerOk, Bed, call, failure, outcome, reached, type TcpAddress, tcp, text } from "./testing.fixture.ts";

const missing = opensslAvailable();
const bed = new Bed();
const UNSENT = [Status.UNAVAILABLE, "unsent"];
const echo: Record<string, UnaryHandler> = { "/t.T/Echo": (request, answer) => answer.respond(request) };
/** Soon seen, and not a load. */
const RELOAD_MS = 20;

let ours: Certificates;
let others: Certificates;
beforeAll(() => {
  if (missing !== undefined) return;
  ours = makeCertificates();
  others = makeCertificates();
});
afterEach(bed.clean);
afterAll(() => {
  for (const made of [ours, others]) if (made !== undefined) rmSync(made.directory, { recursive: true });
});

/** Whatever certificate there is, and whatever protocol was agreed on. */
async function shown(to: TcpAddress, protocols: readonly string[] = ["h2"]): Promise<{ certificate: PeerCertificate; protocol: unknown }> {
  const socket = tlsConnect({ ...to, rejectUnauthorized: false, ALPNProtocols: [...protocols] });
  try {
    await once(socket, "secureConnect");
    return { certificate: socket.getPeerCertificate(), protocol: socket.alpnProtocol };
  } finally {
    socket.destroy();
  }
}

describe.skipIf(missing !== undefined)("TLS", () => {
  test("a client with the right authority calls, and HTTP/2 was agreed on", async () => {
    const server = await bed.serve(echo, { tls: ours.server });
    const client = bed.client(server.address, { tls: { ca: ours.ca } });
    expect(text(await call(client, "/t.T/Echo", "secret"))).toBe("secret");
    expect((await shown(tcp(server))).protocol).toBe("h2");
  });

  test("a peer that agrees on no HTTP/2 is left", async () => {
    const server = await bed.serve(echo, { tls: ours.server });
    await expect(shown(tcp(server), ["http/1.1"])).rejects.toThrow();
    const socket = tlsConnect({ ...tcp(server), rejectUnauthorized: false });
    socket.on("error", () => undefined);
    await once(socket, "close");
  });

  test("a client that does not verify takes any certificate", async () => {
    const server = await bed.serve(echo, { tls: ours.server });
    const client = bed.client(server.address, { tls: { ca: others.ca, verify: false } });
    expect(text(await call(client, "/t.T/Echo", "secret"))).toBe("secret");
  });

  test("an authority may be given as text instead of a file", async () => {
    const server = await bed.serve(echo, { tls: ours.server });
    const client = bed.client(server.address, { tls: { ca: readFileSync(ours.ca, "utf8") } });
    expect(text(await call(client, "/t.T/Echo", "secret"))).toBe("secret");
  });

  test("a client refuses a server of an authority that it does not know, and one without any", async () => {
    const server = await bed.serve(echo, { tls: ours.server });
    for (const tls of [{ ca: others.ca }, {}]) {
      const error = await failure(call(bed.client(server.address, { tls }), "/t.T/Echo", ""));
      expect([error.code, error.from]).toEqual(UNSENT);
      expect(error.details).toMatch(/certificate/);
    }
  });

  test("the certificate must be for the name that is asked for", async () => {
    const server = await bed.serve(echo, { tls: ours.server });
    const named = bed.client(server.address, { tls: { ca: ours.ca, serverName: SERVER_NAME } });
    expect(text(await call(named, "/t.T/Echo", "hi"))).toBe("hi");
    const wrong = bed.client(server.address, { tls: { ca: ours.ca, serverName: "elsewhere.example" } });
    const error = await failure(call(wrong, "/t.T/Echo", ""));
    expect([error.code, error.from]).toEqual(UNSENT);
    expect(error.details).toContain("elsewhere.example");
  });

  test("the name is told the server, in the handshake and as the authority; the scheme is https", async () => {
    const seen: unknown[] = [];
    const server = createSecureServer({ cert: readFileSync(ours.server.cert), key: readFileSync(ours.server.key) });
    server.on("stream", (stream, headers) => {
      const socket = stream.session?.socket as TLSSocket | undefined;
      seen.push(socket?.servername, headers[":authority"], headers[":scheme"]);
      answerOk(stream, new Uint8Array());
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    bed.after(() => server.close());
    const to = addressOf(server);
    await call(bed.client(to, { tls: { ca: ours.ca, serverName: SERVER_NAME } }), "/t.T/Name", "");
    expect(seen).toEqual([SERVER_NAME, `${SERVER_NAME}:${to.port}`, "https"]);
  });

  test("with mTLS a client gets in with its certificate, and not without one, nor with one of others", async () => {
    const server = await bed.serve(echo, { tls: { ...ours.server, ca: ours.ca } });
    const known = bed.client(server.address, { tls: { ca: ours.ca, ...ours.client } });
    expect(text(await call(known, "/t.T/Echo", "it is me"))).toBe("it is me");
    const nobody = bed.client(server.address, { tls: { ca: ours.ca } });
    expect(await outcome(call(nobody, "/t.T/Echo", ""))).toEqual(UNSENT);
    const stranger = bed.client(server.address, { tls: { ca: ours.ca, ...others.client } });
    expect(await outcome(call(stranger, "/t.T/Echo", ""))).toEqual(UNSENT);
    expect(text(await call(known, "/t.T/Echo", "still me"))).toBe("still me");
  });

  test("a plain client and a TLS server do not understand one another, nor the reverse", async () => {
    const secure = await bed.serve(echo, { tls: ours.server });
    expect(await outcome(call(bed.client(secure.address), "/t.T/Echo", ""))).toEqual(UNSENT);
    const plain = await bed.serve(echo);
    expect(await outcome(call(bed.client(plain.address, { tls: { ca: ours.ca } }), "/t.T/Echo", ""))).toEqual(UNSENT);
  });

  test("a server whose files cannot be used does not start", async () => {
    await expect(bed.serve(echo, { tls: { ...ours.server, key: others.server.key } })).rejects.toThrow(/key/);
    await expect(bed.serve(echo, { tls: { ...ours.server, cert: join(ours.directory, "nowhere.pem") } })).rejects.toThrow(/ENOENT/);
  });

  test("a client whose files are not there yet fails after the call is in hand, and finds them later", async () => {
    const folder = await bed.folder();
    const ca = join(folder, "ca.pem");
    const server = await bed.serve(echo, { tls: ours.server });
    const client = bed.client(server.address, { tls: { ca } });
    let inHand = false;
    const error = await new Promise<RpcError>((failed, reject) => {
      client.unary("/t.T/Echo", new Uint8Array(), {
        response: () => reject(new Error("the call succeeded")),
        failed: (error) => (inHand ? failed(error) : reject(new Error("it failed before the caller had it"))),
      });
      inHand = true;
    });
    expect([error.code, error.from]).toEqual(UNSENT);
    expect(error.details).toContain("ca.pem");
    const late = call(client, "/t.T/Echo", "late", { waitForReady: true });
    copyFileSync(ours.ca, ca);
    expect(text(await late)).toBe("late");
  });

  test("goes over a Unix socket too, where the name is localhost unless told", async () => {
    const path = join(await bed.folder(), "s.sock");
    const server = await bed.serve(echo, { tls: ours.server }, { path });
    for (const tls of [{ ca: ours.ca }, { ca: ours.ca, serverName: SERVER_NAME }]) {
      expect(text(await call(bed.client(server.address, { tls }), "/t.T/Echo", "hi"))).toBe("hi");
    }
    const wrong = bed.client(server.address, { tls: { ca: ours.ca, serverName: "elsewhere.example" } });
    expect(await outcome(call(wrong, "/t.T/Echo", ""))).toEqual(UNSENT);
    await server.close(AbortSignal.abort());
    expect(existsSync(path)).toBe(false);
  });

  test("a changed certificate serves new connections; those that are there go on", async () => {
    const folder = await bed.folder();
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    copyFileSync(ours.server.cert, cert);
    copyFileSync(ours.server.key, key);
    const errors: unknown[] = [];
    const server = await bed.serve(echo, { tls: { cert, key, reloadMs: RELOAD_MS, onReloadError: (error) => void errors.push(error) } });
    const before = bed.client(server.address, { tls: { ca: ours.ca } });
    await call(before, "/t.T/Echo", "");
    const old = (await shown(tcp(server))).certificate.fingerprint256;
    copyFileSync(others.server.key, key);
    copyFileSync(others.server.cert, cert);
    while ((await shown(tcp(server))).certificate.fingerprint256 === old);
    const after = bed.client(server.address, { tls: { ca: others.ca } });
    expect(text(await call(after, "/t.T/Echo", "new"))).toBe("new");
    expect(text(await call(before, "/t.T/Echo", "old"))).toBe("old");
    expect(await outcome(call(bed.client(server.address, { tls: { ca: ours.ca } }), "/t.T/Echo", ""))).toEqual(UNSENT);
  });

  test("half of a change keeps the old certificate and is told; the other half completes it", async () => {
    const folder = await bed.folder();
    const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
    copyFileSync(ours.server.cert, cert);
    copyFileSync(ours.server.key, key);
    let told: (error: unknown) => void = () => undefined;
    const trouble = () =>
      new Promise<unknown>((resolve) => {
        told = resolve;
      });
    const server = await bed.serve(echo, { tls: { cert, key, reloadMs: RELOAD_MS, onReloadError: (error) => told(error) } });
    const { fingerprint256: old } = (await shown(tcp(server))).certificate;
    let error = trouble();
    writeFileSync(cert, "-----BEGIN CERTIFICATE-----\nMIIB");
    expect(await error).toBeInstanceOf(Error);
    expect((await shown(tcp(server))).certificate.fingerprint256).toBe(old);
    error = trouble();
    copyFileSync(others.server.cert, cert);
    expect(String(await error)).toMatch(/key/);
    expect((await shown(tcp(server))).certificate.fingerprint256).toBe(old);
    error = trouble();
    rmSync(key);
    expect(String(await error)).toMatch(/ENOENT/);
    expect((await shown(tcp(server))).certificate.fingerprint256).toBe(old);
    copyFileSync(others.server.key, key);
    while ((await shown(tcp(server))).certificate.fingerprint256 === old);
    expect(text(await call(bed.client(server.address, { tls: { ca: others.ca } }), "/t.T/Echo", "new"))).toBe("new");
  });

  test("a changed authority of the clients is taken over", async () => {
    const ca = join(await bed.folder(), "ca.pem");
    copyFileSync(ours.ca, ca);
    const server = await bed.serve(echo, { tls: { ...ours.server, ca, reloadMs: RELOAD_MS } });
    const client = bed.client(server.address, { tls: { ca: ours.ca, ...others.client } });
    expect(await outcome(call(client, "/t.T/Echo", ""))).toEqual(UNSENT);
    copyFileSync(others.ca, ca);
    expect(text(await call(client, "/t.T/Echo", "in", { waitForReady: true }))).toBe("in");
    expect(await outcome(call(bed.client(server.address, { tls: { ca: ours.ca, ...ours.client } }), "/t.T/Echo", ""))).toEqual(UNSENT);
  });

  test("a client reads its files anew for each connection", async () => {
    const ca = join(await bed.folder(), "ca.pem");
    copyFileSync(others.ca, ca);
    const server = await bed.serve(echo, { tls: ours.server });
    const client = bed.client(server.address, { tls: { ca } });
    expect(await outcome(call(client, "/t.T/Echo", ""))).toEqual(UNSENT);
    copyFileSync(ours.ca, ca);
    await reached(client, "ready");
    expect(text(await call(client, "/t.T/Echo", "in"))).toBe("in");
  });

  test("a cut does not wait for a handshake that nobody goes on with", async () => {
    const server = await bed.serve(echo, { tls: ours.server });
    const silent = dial(tcp(server));
    silent.on("error", () => undefined);
    const gone = once(silent, "close");
    await once(silent, "connect");
    // The server has accepted it once a later one is through.
    await call(bed.client(server.address, { tls: { ca: ours.ca } }), "/t.T/Echo", "");
    await server.close(AbortSignal.abort());
    await gone;
  });

  test("a handshake that nobody goes on with ends in time", async () => {
    const server = await bed.serve(echo, { tls: ours.server, limits: { handshakeMs: 50 } });
    const silent = dial(tcp(server));
    silent.on("error", () => undefined);
    await once(silent, "close");
  });
});
