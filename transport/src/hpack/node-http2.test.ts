import { once } from "node:events";
import http2 from "node:http2";
import net, { type AddressInfo } from "node:net";
import fc from "fast-check";
import { expect, test } from "vitest";
import { HpackDecoder } from "./decoder.ts";
import { type HeaderField, HpackEncoder } from "./encoder.ts";

// node:http2 has a coder of its own, nghttp2's. We meet it on the wire: these are the few frames that takes.
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const GOAWAY = 7;
const CONTINUATION = 9;
const ACK = 1;
const END_STREAM = 1;
const END_HEADERS = 4;
const HEADER_TABLE_SIZE = 1;
const MAX_FRAME = 16384;

interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function settings(tableBytes: number): Buffer {
  const payload = Buffer.alloc(6);
  payload.writeUInt16BE(HEADER_TABLE_SIZE, 0);
  payload.writeUInt32BE(tableBytes, 2);
  return frame(SETTINGS, 0, 0, payload);
}

/** Calls `take` with each frame that comes, once `skip` bytes have passed. */
function frames(socket: net.Socket, skip: number, take: (frame: Frame) => void): void {
  let held = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    held = Buffer.concat([held, chunk]);
    if (skip > 0) {
      if (held.length < skip) return;
      held = held.subarray(skip);
      skip = 0;
    }
    while (held.length >= 9) {
      const end = 9 + held.readUIntBE(0, 3);
      if (held.length < end) return;
      const stream = held.readUInt32BE(5);
      take({ type: held.readUInt8(3), flags: held.readUInt8(4), stream, payload: held.subarray(9, end) });
      held = held.subarray(end);
    }
  });
}

/** The block in a HEADERS frame (RFC 9113 6.2), which may be padded or have a priority. */
function fragment({ flags, payload }: Frame): Buffer {
  const padded = (flags & 8) !== 0;
  const start = (padded ? 1 : 0) + (flags & 0x20 ? 5 : 0);
  return payload.subarray(start, payload.length - (padded ? payload.readUInt8(0) : 0));
}

async function listening(server: net.Server): Promise<number> {
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

async function closed(server: net.Server): Promise<void> {
  const event = once(server, "close");
  server.close();
  await event;
}

/** Without a space at either end, which RFC 9113 8.2.1 does not allow. */
const value = (max: number) =>
  fc
    .array(fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) }, fc.integer({ min: 0x80, max: 0xff })), {
      maxLength: max,
    })
    .map((codes) => String.fromCharCode(...codes).trim());
const name = fc.oneof(
  fc.constantFrom("user-agent", "accept", "cache-control", "authorization", "grpc-timeout", "x-a", "x-b"),
  fc.stringMatching(/^x-[a-z0-9_.!-]{1,20}$/),
);
const field = fc.record({
  name,
  value: fc.oneof(fc.constantFrom("", "1", "gzip, deflate"), value(60), value(60), value(3000)),
  indexing: fc.constantFrom("index", "index", "plain", "never"),
});
const path = fc.constantFrom("/", "/index.html", "/layotto.Runtime/Publish", "/layotto.Runtime/Subscribe");
/** Each name once, as in the object that node:http2 takes. */
const request = fc.record({ path, fields: fc.uniqueArray(field, { maxLength: 20, selector: (each) => each.name }) });
const tableBytes = fc.oneof(fc.constantFrom(0, 100, 4096, 65536), fc.nat(5000));

test("what node:http2 encodes, we decode", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 10 }), tableBytes, async (requests, announced) => {
      const decoder = new HpackDecoder({ interpret: (fields) => fields, maxTableBytes: announced, maxListBytes: 1_000_000 });
      const arrived: string[][] = [];
      const server = net.createServer((socket) => {
        socket.on("error", (error) => server.emit("error", error));
        socket.write(settings(announced));
        let block: Buffer[] = [];
        frames(socket, PREFACE.length, (each) => {
          if (each.type !== HEADERS && each.type !== CONTINUATION) return;
          block.push(each.type === HEADERS ? fragment(each) : each.payload);
          if (!(each.flags & END_HEADERS)) return;
          const whole = Buffer.concat(block);
          block = [];
          try {
            arrived.push(decoder.decode(whole, 0, whole.length));
          } catch (error) {
            server.emit("error", error);
          }
          if (arrived.length === requests.length) server.emit("all arrived");
        });
      });
      const port = await listening(server);
      const session = http2.connect(`http://127.0.0.1:${port}`, { maxDeflateDynamicTableSize: 65536 });
      session.on("error", (error) => server.emit("error", error));
      // Until then it would count on 4096 bytes.
      await once(session, "remoteSettings");
      const all = once(server, "all arrived");
      for (const each of requests) {
        const stream = session.request({
          ":method": "GET",
          ":scheme": "http",
          ":authority": "localhost",
          ":path": each.path,
          ...Object.fromEntries(each.fields.map((one) => [one.name, one.value])),
          [http2.sensitiveHeaders]: each.fields.filter((one) => one.indexing === "never").map((one) => one.name),
        });
        stream.on("error", (error) => server.emit("error", error));
      }
      await all;
      server.on("error", () => {});
      session.destroy();
      await closed(server);

      const expected = requests.map((each) => [
        [":method", "GET"],
        [":scheme", "http"],
        [":authority", "localhost"],
        [":path", each.path],
        ...each.fields.map((one) => [one.name, one.value]),
      ]);
      expect(arrived).toEqual(expected.map((fields) => fields.flat()));
    }),
    { numRuns: 40 },
  );
});

/** A node:http2 server and our end of a connection to it. */
async function serverOf(announced: number) {
  const server = http2.createServer({ settings: { headerTableSize: announced } });
  server.on("sessionError", (error) => server.emit("error", error));
  const session = once(server, "session");
  const socket = net.connect(await listening(server), "127.0.0.1");
  const encoder = new HpackEncoder();
  const agreed = once(socket, "agreed");
  frames(socket, 0, ({ type, flags, payload }) => {
    if (type === RST_STREAM || type === GOAWAY) server.emit("error", new Error(`it sent ${type}: ${payload.toString("hex")}`));
    if (type !== SETTINGS || flags & ACK) return;
    for (let at = 0; at < payload.length; at += 6) {
      if (payload.readUInt16BE(at) === HEADER_TABLE_SIZE) encoder.setPeerTableBytes(payload.readUInt32BE(at + 2));
    }
    socket.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
    socket.emit("agreed");
  });
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0))]));
  const [accepted] = (await session) as [http2.ServerHttp2Session];
  await agreed;
  let last = -1;
  return {
    resize: (headerTableSize: number) => new Promise((resolve) => accepted.settings({ headerTableSize }, resolve)),
    /** What the server says of a request with these fields: all of them, and the names of those never to be indexed. */
    async request(fields: HeaderField[]): Promise<{ fields: string[]; never: unknown }> {
      const block = encoder.encode(fields);
      last += 2;
      const arrival = once(server, "stream");
      const sent: Buffer[] = [];
      for (let at = 0; at < block.length; at += MAX_FRAME) {
        const end = at + MAX_FRAME >= block.length ? END_HEADERS : 0;
        const part = block.subarray(at, at + MAX_FRAME);
        sent.push(at === 0 ? frame(HEADERS, END_STREAM | end, last, part) : frame(CONTINUATION, end, last, part));
      }
      socket.write(Buffer.concat(sent));
      const [, headers, , raw] = (await arrival) as [unknown, http2.IncomingHttpHeaders, number, string[]];
      return { fields: raw, never: Reflect.get(headers, http2.sensitiveHeaders) };
    },
    async close(): Promise<void> {
      server.on("error", () => {});
      socket.destroy();
      await closed(server);
    },
  };
}

const pairs = (fields: HeaderField[]) => fields.flatMap((each) => each.slice(0, 2));

const pseudo = (path: string): HeaderField[] => [
  [":method", "POST", "index"],
  [":scheme", "http", "index"],
  [":path", path, "index"],
  [":authority", "localhost", "index"],
];

test("what we encode, node:http2 decodes", async () => {
  const step = fc.oneof({ weight: 3, arbitrary: request }, { weight: 1, arbitrary: fc.record({ tableBytes }) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), tableBytes, async (steps, announced) => {
      const server = await serverOf(announced);
      for (const each of steps) {
        if ("tableBytes" in each) {
          await server.resize(each.tableBytes);
        } else {
          const fields = [...pseudo(each.path), ...each.fields.map((one): HeaderField => [one.name, one.value, one.indexing])];
          const never = each.fields.filter((one) => one.indexing === "never").map((one) => one.name);
          expect(await server.request(fields)).toEqual({ fields: pairs(fields), never });
        }
      }
      await server.close();
    }),
    { numRuns: 40 },
  );
});

test("each Huffman code that a value may have is the one that node:http2 knows", async () => {
  const server = await serverOf(4096);
  const allowed = [0x09, ...Array.from({ length: 0xe0 }, (_, i) => 0x20 + i)].filter((code) => code !== 0x7f);
  for (let at = 0; at < allowed.length; at += 16) {
    // With so many short codes beside it, each is worth encoding.
    const some = allowed.slice(at, at + 16).map((code): HeaderField => ["x", `${"0".repeat(12)}${String.fromCharCode(code)}0`, "plain"]);
    const fields = [...pseudo("/"), ...some];
    expect(await server.request(fields)).toEqual({ fields: pairs(fields), never: [] });
  }
  await server.close();
});
