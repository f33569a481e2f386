import { afterEach, describe, expect, test } from "vitest";
import { echo } from "./client.fixture.ts";
import type { ConnectionState } from "./index.ts";
import { answerOk, Bed, Conversation, call, text } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

describe("a path that fills frames arrives whole, and the connection goes on", () => {
  // The longest in one frame, the first in several, and such as fill them: "~" takes a byte as it is, and more in Huffman's code.
  const LENGTHS = [8_192, 8_193, 16_384, 16_385, 3 * 16_384, 60_000];
  const paths = LENGTHS.map((length) => `/${"~".repeat(length - 1)}`);

  test("at Node's HTTP/2 server", async () => {
    const settings = { maxHeaderListSize: 2 ** 17, headerTableSize: 2 ** 16 };
    const server = await bed.http2((stream, headers) => answerOk(stream, Buffer.from(headers[":path"] ?? "")), { settings });
    const client = bed.client(server.address);
    for (const path of paths) {
      for (const deadline of [undefined, Date.now() + 60_000]) {
        const options = deadline === undefined ? {} : { deadline };
        expect(text(await call(client, path, "hello", options)) === path).toBe(true);
        const talk = new Conversation(client, path, options);
        expect(text(await talk.next()) === path).toBe(true);
        talk.stream.end();
        await talk.end;
      }
      expect(text(await call(client, "/t.T/Any", ""))).toBe("/t.T/Any");
    }
    expect(server.sessions.length).toBe(1);
  });

  test("at our own", async () => {
    const beyond = `/${"~".repeat(500_000)}`;
    const handlers = Object.fromEntries([...paths, beyond].map((path) => [path, echo]));
    const server = await bed.serve({ ...handlers, "/t.T/Echo": echo }, { limits: { maxHeaderListBytes: 2 ** 20 } });
    const client = bed.client(server.address);
    const states: ConnectionState[] = [];
    await call(client, "/t.T/Echo", "");
    client.onState((state) => states.push(state));
    // All at once: no frame of another call may come between the parts.
    const calls = [...paths, beyond].flatMap((path) => [call(client, path, "large"), call(client, "/t.T/Echo", "small")]);
    expect((await Promise.all(calls)).map(text)).toEqual([...paths, beyond].flatMap(() => ["large", "small"]));
    expect(text(await call(client, "/t.T/Echo", "on"))).toBe("on");
    expect(states).toEqual([]);
  });
});
