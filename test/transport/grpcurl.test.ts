import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listen } from "layotto-transport";
import { health } from "layotto-transport/health";
import { reflection } from "layotto-transport/reflection";
import { afterEach, describe, expect, test } from "vitest";
import { goAvailable, goProgram } from "../brokers/go-programs.ts";
import { makeCertificates, opensslAvailable, SERVER_NAME } from "./certificates.ts";
import { type Ran, ran } from "./ran.ts";
import { testService } from "./test-service.ts";
import { fileDescriptors } from "./testing-messages.ts";

/** Building it, the first time. */
const BUILD_MS = 600_000;
/** The part of gRPC's health service that is asked here. The server need not describe it by reflection. */
const HEALTH = `
syntax = "proto3";
package grpc.health.v1;
message HealthCheckRequest { string service = 1; }
message HealthCheckResponse {
  enum ServingStatus { UNKNOWN = 0; SERVING = 1; NOT_SERVING = 2; SERVICE_UNKNOWN = 3; }
  ServingStatus status = 1;
}
service Health { rpc Check(HealthCheckRequest) returns (HealthCheckResponse); }
`;
const noGo = goAvailable();
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Options = Omit<Parameters<typeof listen>[1], "handlers">;

/** A server of ours with everything that grpcurl asks for. */
async function started(options: Options = {}) {
  const { handlers, set } = health();
  const all = { ...testService(), ...handlers, ...reflection(fileDescriptors) };
  const server = await listen({ host: "127.0.0.1", port: 0 }, { ...options, handlers: all });
  cleanups.push(() => server.close(AbortSignal.abort()));
  const target = "port" in server.address ? `127.0.0.1:${server.address.port}` : "";
  return { target, set };
}

async function grpcurl(...args: readonly string[]): Promise<Ran> {
  return ran(await goProgram("grpcurl"), args);
}

async function printed(...args: readonly string[]): Promise<string> {
  const { code, output } = await grpcurl(...args);
  expect(code, output).toBe(0);
  return output;
}

describe("grpcurl", { timeout: BUILD_MS }, () => {
  test("lists the services by reflection", async ({ skip }) => {
    skip(noGo !== undefined, noGo);
    const { target } = await started();
    expect((await printed("-plaintext", target, "list")).split("\n")).toContain("grpc.testing.TestService");
    const methods = ["EmptyCall", "UnaryCall", "StreamingOutputCall", "StreamingInputCall", "FullDuplexCall", "UnimplementedCall"];
    const listed = (await printed("-plaintext", target, "list", "grpc.testing.TestService")).trim().split("\n");
    expect(listed.sort()).toEqual(methods.map((method) => `grpc.testing.TestService.${method}`).sort());
  });

  test("describes a method and its messages, which are in another file", async ({ skip }) => {
    skip(noGo !== undefined, noGo);
    const { target } = await started();
    const method = await printed("-plaintext", target, "describe", "grpc.testing.TestService.UnaryCall");
    expect(method).toContain("rpc UnaryCall ( .grpc.testing.SimpleRequest ) returns ( .grpc.testing.SimpleResponse );");
    const stream = await printed("-plaintext", target, "describe", "grpc.testing.TestService.FullDuplexCall");
    expect(stream).toContain("( stream .grpc.testing.StreamingOutputCallRequest )");
    expect(await printed("-plaintext", target, "describe", "grpc.testing.SimpleRequest")).toContain("int32 response_size = 2;");
  });

  test("is told that there is no such service", async ({ skip }) => {
    skip(noGo !== undefined, noGo);
    const { target } = await started();
    const { code, output } = await grpcurl("-plaintext", target, "describe", "grpc.testing.NoSuchService");
    expect(code).not.toBe(0);
    expect(output).toMatch(/not ?found/i);
  });

  test("calls by reflection, and prints the answer, the metadata and the status", async ({ skip }) => {
    skip(noGo !== undefined, noGo);
    const { target } = await started();
    const call = "grpc.testing.TestService/UnaryCall";
    const initial = ["-rpc-header", "x-grpc-test-echo-initial: here"];
    const trailing = ["-rpc-header", `x-grpc-test-echo-trailing-bin: ${Buffer.from([0, 255]).toString("base64")}`];
    const output = await printed("-plaintext", "-v", ...initial, ...trailing, "-d", '{"response_size": 3}', target, call);
    expect(output).toContain('"body": "AAAA"');
    expect(output).toContain("x-grpc-test-echo-initial: here");
    expect(output).toMatch(/x-grpc-test-echo-trailing-bin: AP8=?/);
    const refusal = await grpcurl("-plaintext", "-d", '{"response_status": {"code": 9, "message": "ungültig ☺"}}', target, call);
    expect(refusal.code).not.toBe(0);
    expect(refusal.output).toContain("Code: FailedPrecondition");
    expect(refusal.output).toContain("Message: ungültig ☺");
  });

  test("sees the health of the server, and of one service", async ({ skip }) => {
    skip(noGo !== undefined, noGo);
    const { target, set } = await started();
    const directory = mkdtempSync(join(tmpdir(), "grpcurl-"));
    cleanups.push(() => rmSync(directory, { recursive: true }));
    writeFileSync(join(directory, "health.proto"), HEALTH);
    const plain = ["-plaintext", "-import-path", directory, "-proto", "health.proto"];
    const check = "grpc.health.v1.Health/Check";
    expect(await printed(...plain, target, check)).toMatch(/"SERVING"/);
    set("grpc.testing.TestService", "NOT_SERVING");
    const asked = ["-d", '{"service": "grpc.testing.TestService"}'];
    expect(await printed(...plain, ...asked, target, check)).toMatch(/"NOT_SERVING"/);
    set("grpc.testing.TestService", "SERVING");
    expect(await printed(...plain, ...asked, target, check)).toMatch(/"SERVING"/);
    const unknown = await grpcurl(...plain, "-d", '{"service": "nobody"}', target, check);
    expect(unknown.output).toContain("Code: NotFound");
  });

  test("gets in over TLS with a certificate of the authority, and not without one", async ({ skip }) => {
    const missing = noGo ?? opensslAvailable();
    skip(missing !== undefined, missing);
    const { directory, ca, server, client } = makeCertificates();
    cleanups.push(() => rmSync(directory, { recursive: true }));
    const { target } = await started({ tls: { ...server, ca } });
    const call = ["-authority", SERVER_NAME, target, "grpc.testing.TestService/EmptyCall"];
    expect(await printed("-cacert", ca, "-cert", client.cert, "-key", client.key, ...call)).toBe("{}\n");
    const { code, output } = await grpcurl("-cacert", ca, "-connect-timeout", "5", ...call);
    expect(code, output).not.toBe(0);
    expect(output).toMatch(/tls|certificate|handshake|closed|reset/i);
  });
});
