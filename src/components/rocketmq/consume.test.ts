import { Status } from "layotto-transport";
import { describe, expect, test } from "vitest";
import { PubSubError } from "../../pubsub/error.ts";
import { Code } from "./gen/apache/rocketmq/v2/definition_pb.ts";
import { PlayedReader } from "./played-reader.fixture.ts";

const gone = new PubSubError("unavailable", "the connection is lost");

describe("a poll that waits before it asks again, when the connection is lost,", () => {
  test.each([
    ["after an answer with an error", (played: PlayedReader) => played.proxy.poll?.answers(Code.INTERNAL_SERVER_ERROR)],
    ["after a silence", (played: PlayedReader) => played.proxy.poll?.fails(Status.DEADLINE_EXCEEDED)],
  ])("%s, asks again once there is one", async (_, fail) => {
    const played = await new PlayedReader("none").open();
    played.reader.window(10, 100_000);
    fail(played);
    expect(played.proxy.polls).toHaveLength(1);
    played.proxy.lose(gone);
    await played.pass(10_000);
    expect(played.proxy.polls).toHaveLength(1);
    played.proxy.connect();
    await played.pass();
    expect(played.proxy.poll).toBeDefined();
  });
});
