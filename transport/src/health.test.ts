import { afterEach, expect, test } from "vitest";
import { type Health, type HealthState, health } from "./health.ts";
import { type Client, Status } from "./index.ts";
import { Bed, Conversation, call, failure, outcome } from "./testing.fixture.ts";

const bed = new Bed();
afterEach(bed.clean);

const CHECK = "/grpc.health.v1.Health/Check";
const WATCH = "/grpc.health.v1.Health/Watch";
/** Of grpc.health.v1.HealthCheckResponse. */
const SERVING = 1;
const NOT_SERVING = 2;
const SERVICE_UNKNOWN = 3;

const asked = (service: string) => Buffer.concat([Uint8Array.of(0x0a, service.length), Buffer.from(service)]);
const status = ([tag, value, ...rest]: Uint8Array) => {
  expect([tag, rest]).toEqual([0x08, []]);
  return value;
};

async function started(): Promise<{ standing: Health; client: Client }> {
  const standing = health();
  const server = await bed.serve(standing.handlers);
  return { standing, client: bed.client(server.address) };
}

test("the server as a whole serves until told otherwise, named by an empty text or by nothing", async () => {
  const { standing, client } = await started();
  for (const request of [new Uint8Array(), asked("")]) expect(status(await call(client, CHECK, request))).toBe(SERVING);
  standing.set("", "NOT_SERVING");
  expect(status(await call(client, CHECK, ""))).toBe(NOT_SERVING);
});

test("a service is not found until it was set, and then is as it was set last", async () => {
  const { standing, client } = await started();
  expect(await outcome(call(client, CHECK, asked("a.B")))).toEqual([Status.NOT_FOUND, "peer"]);
  for (const [state, code] of [
    ["SERVING", SERVING],
    ["NOT_SERVING", NOT_SERVING],
    ["SERVING", SERVING],
  ] as const) {
    standing.set("a.B", state);
    expect(status(await call(client, CHECK, asked("a.B")))).toBe(code);
  }
  expect(await outcome(call(client, CHECK, asked("a.C")))).toEqual([Status.NOT_FOUND, "peer"]);
});

test("what is no question is INVALID_ARGUMENT", async () => {
  const { client } = await started();
  for (const wrong of [Uint8Array.of(1), Uint8Array.of(0x0a, 5, 0x61), Uint8Array.of(0x12, 0)]) {
    expect(await outcome(call(client, CHECK, wrong))).toEqual([Status.INVALID_ARGUMENT, "peer"]);
    const talk = new Conversation(client, WATCH);
    talk.stream.send(wrong);
    expect((await failure(talk.end)).code).toBe(Status.INVALID_ARGUMENT);
  }
});

test("who watches is told at once, then of each change and of nothing else", async () => {
  const { standing, client } = await started();
  const whole = new Conversation(client, WATCH);
  whole.stream.send(asked(""));
  whole.stream.end();
  const one = new Conversation(client, WATCH);
  one.stream.send(asked("a.B"));
  one.stream.end();
  expect([status(await whole.next()), status(await one.next())]).toEqual([SERVING, SERVICE_UNKNOWN]);
  const changes: [HealthState, number][] = [
    ["NOT_SERVING", NOT_SERVING],
    ["SERVING", SERVING],
    ["NOT_SERVING", NOT_SERVING],
  ];
  for (const [state, code] of changes) {
    standing.set("a.B", state);
    // Nothing new.
    standing.set("a.B", state);
    expect(status(await one.next())).toBe(code);
  }
  standing.set("", "NOT_SERVING");
  expect(status(await whole.next())).toBe(NOT_SERVING);
  expect([whole.messages.length, one.messages.length]).toEqual([2, 4]);
  for (const talk of [whole, one]) talk.stream.cancel();
});

test("many may watch one service, and those that have gone do no harm", async () => {
  const { standing, client } = await started();
  const talks = Array.from({ length: 20 }, () => new Conversation(client, WATCH));
  for (const talk of talks) talk.stream.send(asked(""));
  for (const talk of talks) await talk.next();
  for (const talk of talks.slice(0, 10)) talk.stream.cancel();
  await call(client, CHECK, "");
  standing.set("", "NOT_SERVING");
  for (const talk of talks.slice(10)) expect(status(await talk.next())).toBe(NOT_SERVING);
  for (const talk of talks.slice(0, 10)) expect(talk.messages.length).toBe(1);
});

test("who watches asks once", async () => {
  const { client } = await started();
  const talk = new Conversation(client, WATCH);
  for (let times = 0; times < 2; times++) talk.stream.send(asked(""));
  expect((await failure(talk.end)).code).toBe(Status.UNIMPLEMENTED);
});

test("a server that closes waits for nobody who watches, or is about to, and asks again when it is told", async () => {
  const standing = health();
  const server = await bed.serve(standing.handlers);
  const client = bed.client(server.address);
  const silent = new Conversation(client, WATCH);
  const watching = (): Conversation => {
    const talk = new Conversation(client, WATCH);
    talk.stream.send(asked(""));
    return talk;
  };
  const talk = watching();
  await talk.next();
  const again = failure(talk.end).then(({ code }) => {
    expect(code).toBe(Status.UNAVAILABLE);
    return failure(watching().end);
  });
  await server.close();
  expect((await failure(silent.end)).details).toBe("the server stops");
  expect((await again).code).toBe(Status.UNAVAILABLE);
});
