import { rmSync } from "node:fs";
import { connect as dial } from "node:net";
import { type Client, connect } from "layotto-transport";
import { afterAll, beforeAll, describe, test } from "vitest";
import { goAvailable, goProgram } from "../brokers/go-programs.ts";
import { freePort, Server } from "../brokers/server.ts";
import { type Certificates, makeCertificates, opensslAvailable, SERVER_NAME } from "./certificates.ts";
import { cases } from "./interop-client.ts";

/** Building the server, the first time. */
const BUILD_MS = 600_000;

describe.each(["plaintext", "TLS"])("against grpc-go's interoperability server, over %s", (over) => {
  const missing = goAvailable() ?? (over === "TLS" ? opensslAvailable() : undefined);
  let certificates: Certificates | undefined;
  let server: Server;
  let client: Client;

  beforeAll(async () => {
    if (missing !== undefined) return;
    const binary = await goProgram("interop-server");
    const port = await freePort();
    const args = ["-port", String(port)];
    if (over === "TLS") {
      certificates = makeCertificates();
      args.push("-use_tls", "-tls_cert_file", certificates.server.cert, "-tls_key_file", certificates.server.key);
    }
    server = new Server(
      "interop",
      binary,
      () => args,
      () => listens(port),
    );
    await server.start();
    const tls = certificates ? { tls: { ca: certificates.ca, serverName: SERVER_NAME } } : {};
    client = connect({ host: "127.0.0.1", port }, tls);
  }, BUILD_MS);
  afterAll(async () => {
    client?.close();
    await server?.stop();
    if (certificates) rmSync(certificates.directory, { recursive: true });
  });

  test.for(Object.entries(cases))("%s", async ([, run], { skip }) => {
    skip(missing !== undefined, missing);
    await run(client);
  });
});

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dial(port, "127.0.0.1");
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
