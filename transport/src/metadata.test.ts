import { afterEach, describe, expect, test } from "vitest";
import { HpackDecoder } from "./hpack/decoder.ts";
import { Metadata, type MetadataEntry, Status, streaming, type UnaryHandler } from "./index.ts";
import { answer, answerOk, Bed, Conversation, call, failure, framed, rawCall, tcp, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

const entries = (metadata: Metadata | undefined) =>
  [...(metadata ?? [])].map(([name, value]) => [name, typeof value === "string" ? value : [...value]]);
/** Those of a test, without the ones that every client sends. */
const own = (metadata: Metadata | undefined) => entries(metadata).filter(([name]) => String(name).startsWith("x-"));
const BINARY: readonly MetadataEntry[] = [0, 1, 2, 3, 4].map((length) => [
  `x-${length}-bin`,
  Uint8Array.from({ length }, (_, at) => 251 + at),
]);
const MIXED = new Metadata([
  ["x-one", "1"],
  ["x-many", "first, second"],
  ["X-Many", "third"],
  ["x-empty", ""],
  ["x-odd", '~ % \\ " ,;=:'],
  ...BINARY,
]);

describe("what is allowed", () => {
  test("names are in lower case, and found by it", () => {
    const metadata = new Metadata([
      ["X-Name", "value"],
      ["x-name", "other"],
      ["x-bytes-bin", Uint8Array.of(1)],
    ]);
    expect([metadata.size, metadata.get("x-name"), metadata.get("x-bytes-bin"), metadata.get("absent")]).toEqual([
      3,
      "value",
      undefined,
      undefined,
    ]);
    expect([metadata.bytes("x-bytes-bin"), metadata.bytes("x-name")]).toEqual([Uint8Array.of(1), undefined]);
  });

  test.for(["", "with blank", "ü", "a:b", "x/y", ":path", "grpc-status", "Grpc-Anything", "te", "content-type", "content-length"])(
    "the name %j is not",
    (name) => {
      expect(() => new Metadata([[name, "v"]])).toThrow(TypeError);
    },
  );

  test.for(["connection", "Keep-Alive", "proxy-connection", "transfer-encoding", "upgrade"])(
    "nor %j, which HTTP/2 does not know",
    (name) => {
      expect(() => new Metadata([[name, "v"]])).toThrow(TypeError);
    },
  );

  test.for(["ü", "line\nbreak", "\t", "nul\0", "\u{1f600}", " before", "after ", " "])("the value %j is not", (value) => {
    expect(() => new Metadata([["x-name", value]])).toThrow(TypeError);
  });

  test("bytes go with -bin, and text with other names", () => {
    expect(() => new Metadata([["x-bin", "text"]])).toThrow(/bytes/);
    expect(() => new Metadata([["x-name", Uint8Array.of(1)]])).toThrow(/-bin/);
  });
});

test("the caller's metadata reaches the handler as it was", async () => {
  let seen: Metadata | undefined;
  let headers: unknown[] = [];
  const handler: UnaryHandler = (request, answer) => {
    seen = answer.metadata;
    headers = [answer.header("x-many"), answer.header("content-type"), answer.header("absent")];
    answer.respond(request);
  };
  const server = await bed.serve({ "/t.T/Echo": handler });
  const client = bed.client(server.address);
  for (let round = 0; round < 3; round++) {
    seen = undefined;
    await call(client, "/t.T/Echo", "", { metadata: MIXED });
    expect(own(seen)).toEqual(entries(MIXED));
    expect(headers).toEqual(["first, second", "application/grpc", undefined]);
  }
});

test("what gRPC itself sends is no metadata", async () => {
  let seen: Metadata | undefined;
  const server = await bed.serve({
    "/t.T/Echo": (request, answer) => {
      seen = answer.metadata;
      answer.respond(request);
    },
  });
  await call(bed.client(server.address), "/t.T/Echo", "", { deadline: Date.now() + 60_000, compression: "gzip" });
  expect(entries(seen).map(([name]) => name)).toEqual(["user-agent"]);
});

test("a server's initial and trailing metadata reach the caller of a unary method", async () => {
  const server = await bed.serve({
    "/t.T/Both": (request, answer) => {
      answer.sendHeaders(MIXED);
      // Once only.
      answer.sendHeaders(new Metadata([["x-late", "ignored"]]));
      answer.respond(request, new Metadata([["x-end", "here"], ...BINARY]));
    },
    "/t.T/Neither": (request, answer) => answer.respond(request),
  });
  const client = bed.client(server.address);
  const { message, metadata } = await answer(client, "/t.T/Both", "hi");
  expect(text(message)).toBe("hi");
  expect(entries(metadata.headers)).toEqual(entries(MIXED));
  expect(entries(metadata.trailers)).toEqual(entries(new Metadata([["x-end", "here"], ...BINARY])));
  const plain = await answer(client, "/t.T/Neither", "hi");
  expect([plain.metadata.headers.size, plain.metadata.trailers.size]).toEqual([0, 0]);
});

test("an error carries its trailing metadata, with and without headers before it", async () => {
  const trailers = new Metadata([["x-why", "because"], ...BINARY]);
  const server = await bed.serve({
    "/t.T/Fail": (_, answer) => answer.fail(Status.ABORTED, "no", trailers),
    "/t.T/FailLate": (_, answer) => {
      answer.sendHeaders(MIXED);
      answer.fail(Status.ABORTED, "no", trailers);
    },
  });
  const client = bed.client(server.address);
  for (const path of ["/t.T/Fail", "/t.T/FailLate"]) {
    const error = await failure(call(client, path, ""));
    expect([error.code, error.details]).toEqual([Status.ABORTED, "no"]);
    expect(own(error.trailers)).toEqual(entries(trailers));
  }
});

test("a stream has both too: the headers at once, before any message", async () => {
  const server = await bed.serve({
    "/t.T/Stream": streaming((call) => {
      call.sendHeaders(MIXED);
      return { message: (message) => void call.send(message), end: () => call.end(new Metadata([["x-end", "here"]])) };
    }),
  });
  const talk = new Conversation(bed.client(server.address), "/t.T/Stream", { metadata: MIXED });
  expect(entries(await talk.initial)).toEqual(entries(MIXED));
  talk.stream.send(Buffer.from("hi"));
  await talk.next();
  talk.stream.end();
  expect(entries(await talk.end)).toEqual([["x-end", "here"]]);
});

test("bytes are read with padding and without, and several that were joined on the way", async () => {
  let seen: Metadata | undefined;
  const server = await bed.serve({
    "/t.T/Echo": (request, answer) => {
      seen = answer.metadata;
      answer.respond(request);
    },
  });
  const headers = { "x-a-bin": "/w==", "x-b-bin": "/w", "x-c-bin": "AQI=,AwQF, BgcICQ==", "x-d-bin": "" };
  await rawCall(bed.session(tcp(server)), "/t.T/Echo", headers, framed(new Uint8Array()));
  expect(own(seen)).toEqual([
    ["x-a-bin", [255]],
    ["x-b-bin", [255]],
    ["x-c-bin", [1, 2]],
    ["x-c-bin", [3, 4, 5]],
    ["x-c-bin", [6, 7, 8, 9]],
    ["x-d-bin", []],
  ]);
});

test("bytes are sent without padding, which every peer reads", async () => {
  let header: unknown;
  const server = await bed.http2((stream, headers) => {
    header = headers["x-bytes-bin"];
    answerOk(stream, new Uint8Array());
  });
  await call(bed.client(server.address), "/t.T/Any", "", { metadata: new Metadata([["x-bytes-bin", Uint8Array.of(255)]]) });
  expect(header).toBe("/w");
});

test("more metadata than a server takes is answered RESOURCE_EXHAUSTED, and the connection goes on", async () => {
  const server = await bed.serve({ "/t.T/Echo": (request, answer) => answer.respond(request) });
  const client = bed.client(server.address);
  const much = (bytes: number) => new Metadata([["x-much", "v".repeat(bytes)]]);
  const error = await failure(call(client, "/t.T/Echo", "", { metadata: much(20_000) }));
  expect([error.code, error.from]).toEqual([Status.RESOURCE_EXHAUSTED, "peer"]);
  expect(text(await call(client, "/t.T/Echo", "on", { metadata: much(15_000) }))).toBe("on");
});

/** How each field of a header block is written (RFC 7541 section 6), in its order. */
function representations(block: Buffer): string[] {
  const kinds: string[] = [];
  let at = 0;
  const integer = (bits: number): number => {
    const mask = 2 ** bits - 1;
    let value = (block[at++] as number) & mask;
    if (value < mask) return value;
    for (let shift = 0; ; shift += 7) {
      const byte = block[at++] as number;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  const string = () => {
    const length = integer(7);
    at += length;
  };
  while (at < block.length) {
    const first = block[at] as number;
    if (first >= 0x80) {
      integer(7);
      kinds.push("indexed");
      continue;
    }
    if (first >= 0x20 && first < 0x40) {
      integer(5);
      continue;
    }
    const index = integer(first >= 0x40 ? 6 : 4);
    if (index === 0) string();
    string();
    kinds.push(first >= 0x40 ? "added" : first >= 0x10 ? "never" : "plain");
  }
  return kinds;
}

test("secrets are in no table, of ours or of anyone on the way; other metadata is not in ours", async () => {
  const HEADERS = 1;
  const written: { name: string; value: string; how: string | undefined }[][] = [];
  const twice = Promise.withResolvers<void>();
  const { address } = await bed.tcp((socket) => {
    const decoder = new HpackDecoder<readonly string[]>({ interpret: (fields) => [...fields], maxListBytes: 65_536 });
    let bytes = Buffer.alloc(0);
    let preface = 24;
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    socket.on("data", (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (;;) {
        const length = bytes.length < preface + 9 ? Number.POSITIVE_INFINITY : bytes.readUIntBE(preface, 3);
        if (bytes.length < preface + 9 + length) return;
        const frame = bytes.subarray(preface, preface + 9 + length);
        bytes = bytes.subarray(preface + 9 + length);
        preface = 0;
        if (frame[3] !== HEADERS) continue;
        const block = Buffer.from(frame.subarray(9));
        const kinds = representations(block);
        const fields = decoder.decode(block, 0, block.length);
        expect(fields.length).toBe(2 * kinds.length);
        written.push(kinds.map((how, index) => ({ name: fields[2 * index] as string, value: fields[2 * index + 1] as string, how })));
        if (written.length === 2) twice.resolve();
      }
    });
  });
  const SECRETS = ["authorization", "cookie", "x-auth-token", "client-secret", "password", "x-api-key"];
  const metadata = new Metadata([
    ...SECRETS.map((name): MetadataEntry => [name, "hush"]),
    ["x-token-bin", Uint8Array.of(1)],
    ["x-open", "known"],
  ]);
  const client = bed.client(address);
  for (let times = 0; times < 2; times++) failure(call(client, "/t.T/Any", "", { metadata })).catch(() => undefined);
  await twice.promise;
  for (const fields of written) {
    const how = (name: string) => fields.find((field) => field.name === name)?.how;
    for (const name of [...SECRETS, "x-token-bin"]) expect([name, how(name)]).toEqual([name, "never"]);
    expect(how("x-open")).toBe("plain");
  }
  expect(written[1]?.find(({ name }) => name === ":path")?.how).toBe("indexed");
});
