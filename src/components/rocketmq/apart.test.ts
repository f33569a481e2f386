import { describe, expect, test } from "vitest";
import { given } from "./played-proxy.fixture.ts";
import { PlayedReader } from "./played-reader.fixture.ts";

describe("the broker takes a lease that is changed within the millisecond in which it was given for the old one, and loses the message:", () => {
  async function one(): Promise<PlayedReader> {
    const played = await new PlayedReader("none", { lease: "12s" }).open();
    played.reader.window(10, 100_000);
    played.proxy.poll?.gives(given("m1"));
    return played;
  }
  const changes = ({ proxy }: PlayedReader): number => proxy.asked.filter((request) => request === "ChangeInvisibleDuration m1").length;

  test("one that is given back at once waits for a moment, and none that came before", async () => {
    const played = await one();
    await played.pass(1);
    played.proxy.poll?.gives(given("m2"));
    for (const position of ["m1", "m2"]) played.of(position).retry?.(60_000, 1);
    await played.pass();
    expect(changes(played)).toBe(0);
    await played.pass(1);
    expect(played.proxy.asked.slice(-1)).toEqual(["ChangeInvisibleDuration m1"]);
    await played.pass(1);
    expect(played.proxy.asked.slice(-1)).toEqual(["ChangeInvisibleDuration m2"]);
    played.proxy.poll?.gives(given("m3"));
    await played.pass(2);
    played.of("m3").release();
    await played.pass();
    expect(played.proxy.asked.slice(-1)).toEqual(["ChangeInvisibleDuration m3"]);
  });

  test("one that comes late in a long request is renewed at the next look", async () => {
    const played = await new PlayedReader("none", { lease: "12s" }).open();
    played.reader.window(10, 100_000);
    for (let looks = 0; looks < 3; looks++) await played.pass(2_000);
    await played.pass(1_999);
    played.proxy.poll?.gives(given("m1"));
    await played.pass(1);
    expect(changes(played)).toBe(0);
    await played.pass(2_000);
    expect(changes(played)).toBe(1);
  });

  test("so does one whose lease was renewed just now", async () => {
    const played = await one();
    const { promise, resolve } = Promise.withResolvers<Record<string, string>>();
    played.proxy.answers.ChangeInvisibleDuration = () => promise;
    for (let looks = 0; looks < 3; looks++) await played.pass(2_000);
    expect(changes(played)).toBe(1);
    played.of("m1").release();
    await played.pass(1_000);
    resolve({ receiptHandle: "new" });
    await played.pass();
    await played.pass(1);
    expect(changes(played)).toBe(1);
    await played.pass(1);
    expect(changes(played)).toBe(2);
  });
});
