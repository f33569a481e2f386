import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { goAvailable, goProgram } from "../brokers/go-programs.ts";
import { type Certificates, makeCertificates, opensslAvailable, SERVER_NAME } from "./certificates.ts";
import { cases } from "./interop-client.ts";
import { ran } from "./ran.ts";
import { type Served, serve } from "./served.ts";

/** Building the client, the first time. */
const BUILD_MS = 600_000;

describe.each(["plaintext", "TLS"])("grpc-go's interoperability client, over %s", (over) => {
  const missing = goAvailable() ?? (over === "TLS" ? opensslAvailable() : undefined);
  let certificates: Certificates | undefined;
  let served: Served;

  beforeAll(async () => {
    if (missing !== undefined) return;
    if (over === "TLS") certificates = makeCertificates();
    served = await serve(certificates);
  });
  afterAll(async () => {
    await served?.stop();
    if (certificates) rmSync(certificates.directory, { recursive: true });
  });

  test.for(Object.keys(cases))("%s", { timeout: BUILD_MS }, async (name, { skip }) => {
    skip(missing !== undefined, missing);
    const client = await goProgram("interop-client");
    const tls = certificates ? ["-use_tls", "-use_test_ca", "-ca_file", certificates.ca, "-server_host_override", SERVER_NAME] : [];
    const where = ["-server_host", "127.0.0.1", "-server_port", String(served.port)];
    const env = { ...process.env, GRPC_GO_LOG_SEVERITY_LEVEL: "info" };
    const { code, output } = await ran(client, [...where, ...tls, "-test_case", name], { env });
    expect(code, output).toBe(0);
    expect(output, "it did something, and came to its end").toMatch(/INFO: .*\bdone$/m);
  });
});
