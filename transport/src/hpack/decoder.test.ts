import { describe, expect, test } from "vitest";
import { BlockWriter } from "./block-writer.ts";
import { BOMB_FACTOR, HpackDecoder } from "./decoder.ts";
import { HpackEncoder } from "./encoder.ts";
import { HpackError } from "./errors.ts";

const bytes = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

interface View {
  fields: string[];
  tooLarge: boolean;
}

function decoder(limits: { maxTableBytes?: number; maxListBytes?: number } = {}) {
  const made = new HpackDecoder<View>({ interpret: (fields, tooLarge) => ({ fields, tooLarge }), ...limits });
  return (block: Buffer | string) => {
    const buffer = typeof block === "string" ? bytes(block) : block;
    return made.decode(buffer, 0, buffer.length);
  };
}

/** "k" with so many "v", to be indexed. */
function indexedOf(length: number): Buffer {
  const writer = new BlockWriter();
  writer.integer(0x40, 0x3f, 0);
  writer.string("k", false);
  writer.string("v".repeat(length), false);
  return writer.finish();
}

test.each([
  ["the index 0", "80", "index 0"],
  ["an index beyond the tables", "be", "index 62"],
  ["a literal with a name beyond the tables", "7e 01 61", "index 62"],
  ["a literal not indexed with a name beyond the tables", "0f 2f 01 61", "index 62"],
  ["an index cut off", "ff", "middle"],
  ["an index cut off later", "ff 80", "middle"],
  ["a literal without a name", "40", "middle"],
  ["a literal without a value", "40 01 61", "middle"],
  ["a name cut off", "40 02 61", "beyond the end"],
  ["a value cut off", "40 01 61 02 61", "beyond the end"],
  ["a Huffman string cut off", "41 8c f1 e3", "beyond the end"],
  ["a Huffman string with EOS", "41 84 ff ff ff ff", "EOS"],
  ["a string length above 2^31", "40 7f ff ff ff ff 0f", "too big"],
  ["an index above 2^31", "ff ff ff ff ff 0f", "too big"],
  ["an integer that goes on for ever", "ff 80 80 80 80 80 80 00", "too big"],
  ["a table bigger than announced", "3f e2 1f", "4097 bytes"],
  ["a table resized after a field", "82 20", "after a field"],
])("refuses %s", (_, hex, message) => {
  const decode = decoder();
  const attempt = () => decode(hex);
  expect(attempt).toThrow(HpackError);
  expect(attempt).toThrow(message);
});

test("takes integers up to 2^31, and with zeroes after them", () => {
  const decode = decoder({ maxTableBytes: 2 ** 31 });
  expect(decode("3f e1 ff ff ff 07 82").fields).toEqual([":method", "GET"]);
  expect(() => decode("3f e2 ff ff ff 07 82")).toThrow("too big");
  expect(decode("3f 80 80 80 80 00 83").fields).toEqual([":method", "POST"]);
});

test("decodes only what it is given", () => {
  const block = bytes("ff 82 86 ff");
  const made = new HpackDecoder({ interpret: (fields) => fields });
  expect(made.decode(block, 1, 3)).toEqual([":method", "GET", ":scheme", "http"]);
  expect(made.decode(block, 1, 1)).toEqual([]);
});

test("takes Huffman strings of any length", () => {
  const decode = decoder({ maxListBytes: 1_000_000 });
  for (const length of [10, 5000, 100_000, 10]) {
    const text = "0".repeat(length);
    expect(decode(new HpackEncoder().encode([["a", text, "plain"]])).fields).toEqual(["a", text]);
  }
});

describe("the table", () => {
  test("holds what fits, and is emptied by an entry bigger than itself", () => {
    const decode = decoder({ maxTableBytes: 100 });
    decode(indexedOf(67));
    expect(decode("be").fields).toEqual(["k", "v".repeat(67)]);
    decode(indexedOf(68));
    expect(() => decode("be")).toThrow(HpackError);
  });

  test("may be named by the entry that evicts the name", () => {
    const decode = decoder({ maxTableBytes: 100 });
    decode(indexedOf(50));
    expect(decode("7e 01 61").fields).toEqual(["k", "a"]);
    expect(decode("be").fields).toEqual(["k", "a"]);
  });

  test("is resized several times at the beginning of a block", () => {
    const decode = decoder();
    decode(indexedOf(1));
    expect(decode("3f 03 be").fields).toEqual(["k", "v"]);
    expect(decode("82").fields).toEqual([":method", "GET"]);
    expect(() => decode("20 3f e1 1f be")).toThrow("index 62");
  });

  test("begins with no more than 4096 bytes, and takes what was announced when the peer asks", () => {
    const decode = decoder({ maxTableBytes: 8192, maxListBytes: 100_000 });
    decode(indexedOf(4096));
    expect(() => decode("be")).toThrow(HpackError);
    const bigger = decoder({ maxTableBytes: 8192, maxListBytes: 100_000 });
    bigger(Buffer.concat([bytes("3f e1 3f"), indexedOf(4096)]));
    expect(bigger("be").fields[1]).toHaveLength(4096);
  });

  test("may have many entries", () => {
    const made = new HpackDecoder({ interpret: (fields) => fields, maxTableBytes: 65536, maxListBytes: 65536 });
    const writer = new BlockWriter();
    const written = () => {
      const block = writer.finish();
      writer.open();
      return made.decode(block, 0, block.length);
    };
    writer.integer(0x20, 0x1f, 65536);
    for (let i = 0; i < 300; i++) {
      writer.integer(0x40, 0x3f, 0);
      writer.string(`name-${i}`, false);
      writer.string(`value-${i}`, false);
    }
    const all = written();
    expect(all).toHaveLength(600);
    for (let i = 0; i < 300; i++) writer.integer(0x80, 0x7f, 361 - i);
    expect(written()).toEqual(all);
    writer.integer(0x80, 0x7f, 362);
    expect(written).toThrow("index 362");
  });
});

describe("a list beyond the limit", () => {
  test("ends where the limit is, and still fills the table", () => {
    const decode = decoder({ maxListBytes: 42 + 38 });
    // :method GET and :path / are 42 and 38 bytes.
    expect(decode("82 84")).toEqual({ fields: [":method", "GET", ":path", "/"], tooLarge: false });
    expect(decode("82 84 40 01 61 01 62 82")).toEqual({ fields: [":method", "GET", ":path", "/"], tooLarge: true });
    expect(decode("be")).toEqual({ fields: ["a", "b"], tooLarge: false });
  });

  test("leaves out the small fields after a big one, too", () => {
    const decode = decoder({ maxListBytes: 200 });
    expect(decode(Buffer.concat([bytes("82"), indexedOf(200), bytes("84")]))).toEqual({ fields: [":method", "GET"], tooLarge: true });
  });

  test("is refused when it is far beyond", () => {
    const entry = 1 + 2000 + 32;
    const maxListBytes = entry * 2;
    const block = (times: number) => Buffer.concat([indexedOf(2000), Buffer.alloc(times - 1, 0xbe)]);
    const most = decoder({ maxListBytes })(block(2 * BOMB_FACTOR));
    expect(most.tooLarge).toBe(true);
    expect(most.fields).toHaveLength(4);
    expect(() => decoder({ maxListBytes })(block(2 * BOMB_FACTOR + 1))).toThrow(HpackError);
    // However long the block, the bomb is not decoded to its end: what is wrong there is not found.
    expect(() => decoder({ maxListBytes })(Buffer.concat([block(1_000_000), bytes("80")]))).toThrow("far beyond the limit");
  });
});

describe("a block seen before", () => {
  const first = new HpackEncoder().encode([
    [":path", "/a", "index"],
    ["x", "y", "index"],
  ]);

  test("gives the same view while the table stays as it is", () => {
    let interpreted = 0;
    const made = new HpackDecoder({ interpret: (fields) => ({ fields, nth: ++interpreted }) });
    made.decode(first, 0, first.length);
    const block = bytes("00 bf be 82");
    const view = made.decode(block, 1, 4);
    expect(view.fields).toEqual([":path", "/a", "x", "y", ":method", "GET"]);
    expect(made.decode(bytes("bf be 82"), 0, 3)).toBe(view);
    expect(interpreted).toBe(2);
    expect(made.decode(bytes("bf be 83"), 0, 3)).not.toBe(view);
    expect(made.decode(bytes("bf be 82"), 0, 3)).toBe(view);
  });

  test("is decoded anew after the table changed", () => {
    const decode = decoder();
    decode(first);
    expect(decode("be").fields).toEqual(["x", "y"]);
    decode("40 01 61 01 62");
    expect(decode("be").fields).toEqual(["a", "b"]);
    expect(decode("bf").fields).toEqual(["x", "y"]);
    decode("20");
    expect(() => decode("bf")).toThrow(HpackError);
  });

  test("is decoded each time if it changes the table itself", () => {
    const decode = decoder();
    expect(decode("40 01 61 01 62")).not.toBe(decode("40 01 61 01 62"));
    expect(decode("be bf").fields).toEqual(["a", "b", "a", "b"]);
    expect(decode("20 82")).not.toBe(decode("20 82"));
  });

  test("is not kept if it is long", () => {
    const decode = decoder();
    expect(decode(Buffer.alloc(256, 0x82))).toBe(decode(Buffer.alloc(256, 0x82)));
    expect(decode(Buffer.alloc(257, 0x82))).not.toBe(decode(Buffer.alloc(257, 0x82)));
  });

  test("is compared byte by byte, and only so many are kept", () => {
    const decode = decoder();
    const blocks = Array.from({ length: 13 * 13 * 13 }, (_, i) =>
      Buffer.of(0x82 + (i % 13), 0x82 + (Math.floor(i / 13) % 13), 0x82 + Math.floor(i / 169)),
    );
    const views = blocks.map((block) => decode(block));
    const again = blocks.map((block) => decode(block));
    expect(again).toEqual(views);
    expect(new Set(views.map((view) => view.fields.join())).size).toBe(blocks.length);
    expect(again.filter((view, i) => view === views[i]).length).toBeLessThanOrEqual(64);
  });

  test("is not kept when its interpretation throws, and the decoder goes on", () => {
    const made = new HpackDecoder({
      interpret: (fields) => {
        if (fields.includes("b")) throw new RangeError("no b");
        return fields;
      },
    });
    const block = bytes("40 01 61 01 62");
    expect(() => made.decode(block, 0, 5)).toThrow(RangeError);
    expect(() => made.decode(bytes("be"), 0, 1)).toThrow(RangeError);
    expect(made.decode(bytes("7e 01 63"), 0, 3)).toEqual(["a", "c"]);
  });
});
