import { describe, expect, test } from "vitest";
import { HpackDecoder } from "./decoder.ts";
import { type HeaderField, HpackEncoder } from "./encoder.ts";

const plain = () => new HpackEncoder({ huffman: false });
const hex = (encoder: HpackEncoder, ...fields: HeaderField[]) => encoder.encode(fields).toString("hex");

test("names are those of the static table where it has them", () => {
  const encoder = plain();
  expect(hex(encoder, ["content-type", "a", "index"])).toBe("5f0161");
  expect(hex(encoder, ["content-type", "b", "plain"])).toBe("0f100162");
  expect(hex(encoder, [":path", "/x", "index"])).toBe("44022f78");
  expect(hex(encoder, [":status", "201", "never"])).toBe("1803323031");
});

test("other names are those of the dynamic table once it has them", () => {
  const encoder = plain();
  expect(hex(encoder, ["te", "trailers", "index"])).toBe("40027465087472 61696c657273".replace(" ", ""));
  expect(hex(encoder, ["te", "trailers", "index"])).toBe("be");
  expect(hex(encoder, ["te", "a", "index"])).toBe("7e0161");
  expect(hex(encoder, ["te", "trailers", "plain"], ["te", "a", "plain"])).toBe("bfbe");
  expect(hex(encoder, ["te", "b", "plain"], ["te", "c", "never"])).toBe("0f2f01621f2f0163");
});

test("a field that is never to be indexed is a literal, even if a table has it", () => {
  const encoder = plain();
  hex(encoder, ["k", "v", "index"]);
  expect(hex(encoder, ["k", "v", "never"])).toBe("1f2f0176");
  expect(hex(encoder, [":method", "GET", "never"])).toBe("1203474554");
  expect(hex(encoder, ["k", "v", "plain"])).toBe("be");
});

test("a field too big for the table is not added, and empties nothing", () => {
  const encoder = plain();
  encoder.setPeerTableBytes(100);
  hex(encoder, ["k", "v", "index"]);
  const { version } = encoder;
  expect(hex(encoder, ["l", "v".repeat(68), "index"])).toMatch(/^00016c44/);
  expect(encoder.version).toBe(version);
  expect(hex(encoder, ["k", "v", "index"])).toBe("be");
});

test("evicted fields are literals again, and their names too", () => {
  const encoder = plain();
  encoder.setPeerTableBytes(100);
  hex(encoder, ["k", "1", "index"], ["k", "2", "index"]);
  expect(hex(encoder, ["k", "1", "plain"], ["k", "2", "plain"])).toBe("bfbe");
  hex(encoder, ["l", "3", "index"]);
  expect(hex(encoder, ["k", "1", "plain"], ["k", "2", "plain"])).toBe("0f300131bf");
  hex(encoder, ["l", "4", "index"]);
  expect(hex(encoder, ["k", "2", "plain"])).toBe("00016b0132");
});

describe("size updates", () => {
  test("none is sent when the table stays as it is", () => {
    const encoder = plain();
    const { version } = encoder;
    for (const bytes of [4096, 8192, 2 ** 32 - 1]) encoder.setPeerTableBytes(bytes);
    expect(encoder.version).toBe(version);
    expect(hex(encoder, [":method", "GET", "index"])).toBe("82");
  });

  test("the smallest comes first and the last then", () => {
    const encoder = plain();
    hex(encoder, ["k", "v", "index"]);
    for (const bytes of [200, 0, 300, 100]) encoder.setPeerTableBytes(bytes);
    expect(hex(encoder, ["k", "v", "index"])).toBe("203f45" + "40016b0176");
    expect(hex(encoder, ["k", "v", "index"])).toBe("be");
    encoder.setPeerTableBytes(4096);
    expect(hex(encoder, ["k", "v", "index"])).toBe("3fe11fbe");
    encoder.setPeerTableBytes(0);
    encoder.setPeerTableBytes(4096);
    expect(hex(encoder, ["k", "v", "index"])).toBe("203fe11f40016b0176");
  });

  test("a peer without a table gets literals alone", () => {
    const encoder = plain();
    encoder.setPeerTableBytes(0);
    expect(hex(encoder, ["k", "v", "index"])).toBe("2000016b0176");
    expect(hex(encoder, ["k", "v", "index"], [":method", "GET", "index"])).toBe("00016b017682");
  });
});

describe("the version", () => {
  test("stays while blocks change nothing", () => {
    const encoder = plain();
    hex(encoder, ["k", "v", "index"]);
    const { version } = encoder;
    hex(encoder, ["k", "v", "index"], [":method", "GET", "index"], ["k", "w", "plain"], ["k", "v", "never"]);
    expect(encoder.version).toBe(version);
  });

  test("changes when the table does, when a size update is due and when it is sent", () => {
    const encoder = plain();
    const versions = [encoder.version];
    hex(encoder, ["k", "v", "index"]);
    versions.push(encoder.version);
    encoder.setPeerTableBytes(2048);
    versions.push(encoder.version);
    hex(encoder, [":method", "GET", "index"]);
    versions.push(encoder.version);
    expect(new Set(versions).size).toBe(4);
  });
});

test("a field that is not latin1 leaves both ends as one", () => {
  for (const bytes of [4096, 0]) {
    const encoder = plain();
    const decoder = new HpackDecoder({ interpret: (fields) => fields });
    const sent = (...fields: HeaderField[]) => {
      const block = encoder.encode(fields);
      return decoder.decode(block, 0, block.length);
    };
    sent(["k", "v", "index"]);
    encoder.setPeerTableBytes(bytes);
    const { version } = encoder;
    expect(() => sent(["l", "w", "index"], ["m", "\u{1f600}", "index"])).toThrow(TypeError);
    expect(encoder.version).not.toBe(version);
    expect(hex(encoder)).toBe(bytes === 0 ? "20" : "203fe11f");
  }
});

test("long blocks come whole, and each has a buffer of its own", () => {
  const encoder = plain();
  const long = Array.from({ length: 40 }, (_, i): HeaderField => [`name-${i}`, String(i % 10).repeat(5000), "plain"]);
  const blocks = [encoder.encode(long), encoder.encode([["a", "b", "plain"]]), encoder.encode(long)];
  const decoder = new HpackDecoder({ interpret: (fields) => fields, maxListBytes: 1_000_000 });
  const lists = blocks.map((block) => decoder.decode(block, 0, block.length));
  const flat = long.flatMap((one) => one.slice(0, 2));
  expect(lists).toEqual([flat, ["a", "b"], flat]);
});
