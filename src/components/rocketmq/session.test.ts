import { expect, test } from "vitest";
import { PubSubError } from "../../pubsub/error.ts";
import { Code } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { PlayedReader } from "./played-reader.fixture.ts";

const gone = new PubSubError("unavailable", "the connection is lost");

test("why the proxy does not let a reader in is told, and it is asked again", async () => {
  const played = new PlayedReader("none");
  played.proxy.refusal = "group not found: g";
  const late = new AbortController();
  const opening = played.reader.open(played.brokers, late.signal);
  await played.pass();
  played.proxy.refusal = undefined;
  await played.pass(1_000);
  await opening;
  expect(played.told).toEqual(["Telemetry: group not found: g", undefined]);
});

test("why the proxy does not let a reader in is the error of one that has waited in vain", async () => {
  const played = new PlayedReader("none");
  played.proxy.refusal = "group not found: g";
  const late = new AbortController();
  const opening = played.reader.open(played.brokers, late.signal);
  await played.pass();
  late.abort();
  await expect(opening).rejects.toMatchObject({ permanent: false, message: "Telemetry: group not found: g" });
});

test("a reader whose group is gone ends, so that it is made again with the next; one that was never taken goes on trying", async () => {
  const played = await new PlayedReader("none").open();
  played.proxy.refusal = "the group is not there";
  played.proxy.lose(gone);
  played.proxy.connect();
  for (let seconds = 0; seconds < 12; seconds++) await played.pass(1_000);
  expect(await played.reader.closed).toMatchObject({ message: expect.stringContaining("the group is not there"), permanent: false });
});

test("a status before the end of the stream is why, too: of the one that waits in vain", async () => {
  const played = new PlayedReader("none");
  played.proxy.refusedBy = Code.FORBIDDEN;
  const late = new AbortController();
  const opening = played.reader.open(played.brokers, late.signal);
  await played.pass();
  late.abort();
  await expect(opening).rejects.toMatchObject({ code: "permission_denied", message: "Telemetry: as played" });
  expect(played.told).toEqual(["Telemetry: as played"]);
});

/** It was taken, and is not when the connection is made anew. */
async function refusedBy(code: Code): Promise<PlayedReader> {
  const played = await new PlayedReader("none").open();
  played.proxy.refusedBy = code;
  played.proxy.lose(gone);
  played.told.length = 0;
  played.proxy.connect();
  await played.pass();
  return played;
}

test("a status before the end of the stream is told of a reader that was taken before, until it is taken again", async () => {
  const played = await refusedBy(Code.UNAUTHORIZED);
  expect(played.told).toEqual(["Telemetry: as played"]);
  played.proxy.refusedBy = undefined;
  await played.pass(1_000);
  expect(played.told).toEqual(["Telemetry: as played", undefined]);
});

test("a proxy that has too much to do ends no reader, however often it says so", async () => {
  const played = await refusedBy(Code.TOO_MANY_REQUESTS);
  for (let seconds = 0; seconds < 12; seconds++) await played.pass(1_000);
  expect(new Set(played.told)).toEqual(new Set(["Telemetry: as played"]));
  played.proxy.refusedBy = undefined;
  await played.pass(1_000);
  expect(played.told.at(-1)).toBeUndefined();
  played.reader.window(1, 1_000);
  expect(played.proxy.poll).toBeDefined();
});

test("a reader whose group the broker does not know any more introduces itself again", async () => {
  const played = await new PlayedReader("none").open();
  played.proxy.answers.Heartbeat = () => ({ status: { code: Code.CONSUMER_GROUP_NOT_FOUND, message: "as played" } });
  const before = played.proxy.introduced.length;
  await played.pass(10_000);
  expect(played.proxy.introduced.length).toBe(before + 1);
});
