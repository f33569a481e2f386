import { describe, expect, onTestFinished, test } from "vitest";
import { freePort } from "../../../test/brokers/server.ts";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { rocketmqOptions } from "./config.ts";
import { opened } from "./played-component.fixture.ts";
import { given, PlayedProxy } from "./played-proxy.fixture.ts";
import { PlayedReader } from "./played-reader.fixture.ts";
import { PlayedServer } from "./played-server.fixture.ts";
import { Proxies } from "./proxies.ts";
import { Routes } from "./routes.ts";

const TWO = { endpoints: "proxy:1;proxy:2", lease: "12s" };

/** Two messages that came through the first proxy, with the app when the second takes its place. */
async function failedOver(leadsToAll: boolean): Promise<PlayedReader> {
  const played = await new PlayedReader("none", TWO).open();
  played.reader.window(10, 100_000);
  played.proxy.poll?.gives(given("m1"), given("m2"));
  move(played, "proxy:2", leadsToAll);
  await played.pass();
  return played;
}

function move({ proxy }: PlayedReader, place: string, leadsToAll = false): void {
  proxy.lose(new PubSubError("unavailable", "the connection is lost"));
  proxy.at = place;
  proxy.shown(place, leadsToAll);
  proxy.connect();
}

/** Settlements and renewals, by their messages. */
const told = ({ proxy }: PlayedReader) => proxy.asked.filter((one) => / m\d/.test(one));

describe("messages that came through the proxy of one broker", () => {
  test("are neither settled nor renewed through that of another: their leases end", async () => {
    const played = await failedOver(false);
    expect(played.of("m1").ack()).toBe(true);
    for (let seconds = 0; seconds < 14; seconds++) await played.pass(1_000);
    expect([told(played), played.lostOnes.map(({ position }) => position)]).toEqual([[], ["m2"]]);
    await played.reader.flush(AbortSignal.timeout(10_000));
    move(played, "proxy:1");
    await played.pass();
    played.proxy.poll?.gives(given("m1"), given("m2"));
    await played.pass();
    expect([told(played), played.positions]).toEqual([["AckMessage m1"], ["m1", "m2", "m2"]]);
  });

  test("are settled and renewed once that one is there again", async () => {
    const played = await failedOver(false);
    expect([played.of("m1").ack(), played.of("m2").release()]).toEqual([true, true]);
    await played.pass(1_000);
    expect(told(played)).toEqual([]);
    move(played, "proxy:1");
    await played.pass(1_000);
    expect(told(played).sort()).toEqual(["AckMessage m1", "ChangeInvisibleDuration m2"]);
  });
});

test("messages that came through a proxy of all brokers are settled and renewed through any other", async () => {
  const played = await failedOver(true);
  expect(played.of("m1").ack()).toBe(true);
  await played.pass();
  await played.pass(6_000);
  expect(told(played)).toEqual(["AckMessage m1", "ChangeInvisibleDuration m2"]);
});

test("an acknowledgement shows no handle that another broker's proxy gave", async () => {
  const played = await failedOver(false);
  const handles: string[] = [];
  played.proxy.answers.AckMessage = (request) => {
    handles.push(...(request as unknown as { entries: { receiptHandle: string }[] }).entries.map(({ receiptHandle }) => receiptHandle));
    return {};
  };
  // Some programs send one message twice.
  played.proxy.poll?.gives(given("m1", { handle: "newer" }));
  played.of("m1").ack();
  await played.pass();
  expect(handles).toEqual(["newer"]);
});

test.each([
  [2, "all brokers", true],
  [1, "its own", false],
])("a proxy whose routes name %i of two proxies for each broker leads to %s", async (count, _, all) => {
  const clock = new SteppedClock();
  const proxy = new PlayedProxy(TWO, clock);
  const addresses = [
    { host: "proxy", port: 1 },
    { host: "proxy", port: 2 },
  ].slice(0, count);
  proxy.answers.QueryRoute = () => ({ messageQueues: [{ broker: { name: "b", endpoints: { addresses } } }] });
  const routes = new Routes(proxy, rocketmqOptions.parse(TWO), "client", clock);
  await routes.find("t");
  expect([proxy.leadsTo("proxy:1"), proxy.leadsTo("proxy:2")]).toEqual([true, all]);
});

test("a reader asks what the proxy leads to whenever it is let in, where there are several", async () => {
  const played = await new PlayedReader("none", TWO).open();
  let asked = 0;
  Object.defineProperty(played, "brokers", { get: () => [String(++asked)] });
  move(played, "proxy:2");
  await played.pass();
  expect(asked).toBe(1);
});

test("a proxy that can be reached before the next one is tried keeps us", async () => {
  const clock = new SteppedClock();
  const [late, other] = [await freePort(), await opened(new PlayedServer())];
  const options = rocketmqOptions.parse({ endpoints: `127.0.0.1:${late};${other.place}` });
  const proxies = new Proxies(options, "test", clock);
  onTestFinished(() => proxies.close());
  proxies.open();
  await expect.poll(() => proxies.failed).toBe(true);
  const server = await opened(new PlayedServer(late));
  await expect.poll(() => proxies.up, { timeout: 10_000 }).toBe(true);
  clock.advance(1_000);
  expect([proxies.up, proxies.place]).toEqual([true, server.place]);
});
