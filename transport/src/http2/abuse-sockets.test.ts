import { rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Certificates, makeCertificates, opensslAvailable } from "../../../test/transport/certificates.ts";
import type { HeaderField } from "../hpack/encoder.ts";
import { Status } from "../status.ts";
import { Abused, type Place } from "./abused-server.fixture.ts";
import { DEFAULT_LIMITS } from "./limits.ts";
import { ErrorCode } from "./protocol.ts";
import { continuation, headers, requestFields, reset } from "./raw-peer.fixture.ts";

// What ends a connection, and what must not, on each kind of socket: how the last word gets through depends on it.

const missing = opensslAvailable();
let certificates: Certificates;
beforeAll(() => {
  if (missing === undefined) certificates = makeCertificates();
});
afterAll(() => {
  if (missing === undefined) rmSync(certificates.directory, { recursive: true });
});

const LOOPBACK = { host: "127.0.0.1", port: 0 };
const places: Readonly<Record<string, () => Place>> = {
  TCP: () => ({ address: LOOPBACK }),
  "a Unix socket": () => ({ address: { path: join(tmpdir(), `abuse-${process.pid}.sock`) } }),
  TLS: () => ({ address: LOOPBACK, tls: certificates }),
};

/** More than is allowed at once, and than comes to be allowed while they are read. */
const IDLE = DEFAULT_LIMITS.idleFrames.burst + 2 * DEFAULT_LIMITS.idleFrames.perSecond;
const RESETS = DEFAULT_LIMITS.resets.burst + 2 * DEFAULT_LIMITS.resets.perSecond;

const times = (count: number, one: (index: number) => Uint8Array) => Array.from({ length: count }, (_, index) => one(index));
const odd = (index: number) => 2 * index + 1;

for (const [name, place] of Object.entries(places)) {
  describe.skipIf(name === "TLS" && missing !== undefined)(`over ${name}`, () => {
    let abused: Abused;
    beforeEach(async () => {
      abused = await Abused.start({}, place());
    });
    afterEach(() => abused.stop());

    test("rapid reset ends its connection with ENHANCE_YOUR_CALM", async () => {
      const peer = await abused.peer();
      peer.send(...times(RESETS, (index) => Buffer.concat([peer.open(odd(index), "/t.T/Hang"), reset(odd(index), ErrorCode.CANCEL)])));
      expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
      await abused.othersAreServed();
    });

    const endings: Readonly<Record<string, Uint8Array>> = {
      "of one byte each": Buffer.from("a"),
      "of 1,000 bytes each": Buffer.alloc(1_000),
      empty: Buffer.alloc(0),
    };
    test.for(Object.entries(endings))("CONTINUATION without end, %s", async ([, part]) => {
      const peer = await abused.peer();
      const count = part.length === 0 ? IDLE : Math.ceil((2 * DEFAULT_LIMITS.maxHeaderListBytes) / part.length) + 1;
      // A literal whose value is said to be large: there is nothing to decode before it is there.
      peer.send(
        headers(1, Buffer.from([0x00, 0x01, 0x61, 0x7f, 0xff, 0xff, 0x7f]), true, false),
        ...times(count, () => continuation(1, part)),
      );
      expect((await peer.ousted()).code).toBe(ErrorCode.ENHANCE_YOUR_CALM);
      await abused.othersAreServed();
    });

    test("header blocks that grow beyond the limit are refused, and the connection goes on", async () => {
      const peer = await abused.peer();
      const first = peer.encoder.encode(requestFields("/t.T/Echo", ["bomb", "x".repeat(3_700), "index"]));
      // 62: the newest entry of the dynamic table.
      peer.send(headers(1, Buffer.concat([first, Buffer.alloc(10, 0x80 | 62)]), true));
      expect(await peer.status(1)).toEqual({
        code: Status.RESOURCE_EXHAUSTED,
        details: `the request's header fields are larger than ${DEFAULT_LIMITS.maxHeaderListBytes} bytes`,
      });
      const large: HeaderField = ["large", "x".repeat(DEFAULT_LIMITS.maxHeaderListBytes), "plain"];
      peer.send(headers(3, peer.encoder.encode([...requestFields("/").filter(([name]) => name !== "content-type"), large]), true));
      expect((await peer.ended(3)).sections[0]).toMatchObject({ ":status": "431" });
      peer.send(peer.call(5, "/t.T/Echo"));
      expect((await peer.status(5)).code).toBe(Status.OK);
      await abused.othersAreServed();
    });
  });
}
