import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { Request, readJson, withRemoting } from "./remoting.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** A server that answers every request with these bytes. */
async function answering(answer: Buffer): Promise<{ host: string; port: number }> {
  const server = createServer((socket) => socket.on("data", () => socket.write(answer)));
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** A frame without a body, whose header is written in `kind`. */
function frame(kind: number, header: string): Buffer {
  const bytes = Buffer.alloc(8 + header.length);
  bytes.writeUInt32BE(4 + header.length, 0);
  bytes.writeUInt32BE(header.length, 4);
  bytes[4] = kind;
  bytes.write(header, 8, "latin1");
  return bytes;
}

test.each([
  ["that writes its headers in RocketMQ's own form", frame(1, "\u0000\u0001")],
  ["that writes no JSON", frame(0, "{oops")],
  ["that writes JSON which is no header", frame(0, "[1]")],
])("a server %s is told of, and ends nothing", async (_, answer) => {
  const place = await answering(answer);
  const asked = withRemoting(place, undefined, AbortSignal.timeout(5_000), (server) => server.request(Request.brokerCluster, {}));
  await expect(asked).rejects.toMatchObject({
    name: "PubSubError",
    code: "unavailable",
    message: expect.stringContaining("ROCKETMQ_SERIALIZE_TYPE"),
  });
});

test("a body that is no JSON is the server's error", () => {
  expect(() => readJson("<html>")).toThrow(expect.objectContaining({ name: "PubSubError", code: "internal" }));
});
