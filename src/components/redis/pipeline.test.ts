import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import { Pipeline } from "./pipeline.ts";

const SILENCE_MS = 100;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A pipeline, and the other end of its socket. */
async function setUp(): Promise<{
  readonly clock: SteppedClock;
  readonly ours: Socket;
  readonly theirs: Socket;
  readonly pipeline: Pipeline;
}> {
  const server = createServer({ pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const ours = connect((server.address() as { port: number }).port, "127.0.0.1");
  const [[theirs]] = (await Promise.all([once(server, "connection"), once(ours, "connect")])) as unknown as [[Socket], unknown];
  cleanups.push(
    () => server.close(),
    () => theirs.destroy(),
    () => ours.destroy(),
  );
  ours.on("error", () => undefined);
  const clock = new SteppedClock();
  return { clock, ours, theirs, pipeline: new Pipeline(ours, clock, SILENCE_MS, (_, reply) => new PubSubError("internal", reply.message)) };
}

/** What is scheduled for the end of this turn, and of those that it leads to, has been done. */
const turns = async () => {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test("a server that owes a reply and says nothing is left, and one that owes none is not", async () => {
  const { clock, ours, pipeline } = await setUp();
  clock.advance(10 * SILENCE_MS);
  await turns();
  expect(ours.destroyed).toBe(false);
  const closed = new Promise((resolve) => ours.on("close", resolve));
  pipeline.ask("ping", [], () => undefined);
  await turns();
  clock.advance(SILENCE_MS - 1);
  await turns();
  expect(ours.destroyed).toBe(false);
  clock.advance(SILENCE_MS);
  await closed;
});

test("while a large command is being sent nobody is silent yet", async () => {
  const { clock, ours, theirs, pipeline } = await setUp();
  const answer = new Promise((resolve) =>
    pipeline.ask("xadd", ["t", "*", "data", Buffer.alloc(32 * 2 ** 20)], (_, reply) => resolve(reply)),
  );
  await turns();
  expect(ours.writableLength).toBeGreaterThan(2 ** 20);
  clock.advance(10 * SILENCE_MS);
  await turns();
  expect(ours.destroyed).toBe(false);
  theirs.resume();
  await once(ours, "drain");
  theirs.write("+1-0\r\n");
  expect(String(await answer)).toBe("1-0");
});

test("a reply that came while we stood still is read before the server is called silent", async () => {
  const { clock, ours, theirs, pipeline } = await setUp();
  theirs.resume();
  theirs.once("data", () => {
    theirs.write("+PONG\r\n");
    // Due in the next turn, before anything is read in it.
    setTimeout(() => clock.advance(10 * SILENCE_MS), 1);
    const until = performance.now() + 5;
    while (performance.now() < until);
  });
  const answer = await new Promise((resolve) => pipeline.ask("ping", [], (error, reply) => resolve(error ?? reply)));
  expect([String(answer), ours.destroyed]).toEqual(["PONG", false]);
});

test("after its end it looks no more", async () => {
  const { clock, ours, pipeline } = await setUp();
  const errors: string[] = [];
  pipeline.ask("ping", [], (error) => errors.push(String(error?.message)));
  await turns();
  clock.advance(10 * SILENCE_MS);
  pipeline.lost((name) => new PubSubError("unavailable", `${name}: lost`));
  ours.destroy();
  await turns();
  expect([errors, clock.timers]).toEqual([["ping: lost"], 0]);
});
