import { expect, test } from "vitest";
import { SteppedClock } from "../conformance/stepped-clock.ts";
import { PubSubError } from "../pubsub/error.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { SubscribeRequest } from "../pubsub/subscription.ts";
import { ensured } from "./ensured.ts";

const request: SubscribeRequest = { topic: "t", group: "app1", start: "earliest", order: "none", options: {} };
const settled = () => new Promise(setImmediate);

function setUp(answers: (PubSubError | undefined)[]) {
  const clock = new SteppedClock(0);
  const refused: string[] = [];
  const asked: string[] = [];
  const pubsub = {
    ensure: (topic: string, groups: readonly SubscribeRequest[]) => {
      asked.push(`${topic}/${groups[0]?.group}`);
      const answer = answers.shift();
      return answer ? Promise.reject(answer) : Promise.resolve();
    },
  } as unknown as PubSub;
  const stop = new AbortController();
  const done = ensured(pubsub, request.topic, [request], clock, stop.signal, (error) => refused.push(error.message));
  return { clock, refused, asked, stop, done };
}

test("a group is asked for until the broker made it", async () => {
  const t = setUp([new PubSubError("unavailable", "not there")]);
  await settled();
  t.clock.advance(100);
  await t.done;
  expect([t.asked, t.refused]).toEqual([["t/app1", "t/app1"], []]);
});

test("a refusal is told once, and asked again all the same: somebody may mend it", async () => {
  const refusal = new PubSubError("failed_precondition", "no permission", { permanent: true });
  const t = setUp([refusal, refusal]);
  await settled();
  t.clock.advance(100);
  await settled();
  t.clock.advance(200);
  await t.done;
  expect([t.asked.length, t.refused]).toEqual([3, ["no permission"]]);
});

test("stopping ends the wait", async () => {
  const t = setUp([new PubSubError("unavailable", "not there")]);
  await settled();
  t.stop.abort();
  await t.done;
  expect([t.asked.length, t.clock.timers]).toEqual([1, 0]);
});
