import { expect, test } from "vitest";
import { POLICY } from "../conformance/engine/policy.ts";
import { type DeclaredSubscription, subscriptionOptions } from "./subscription-options.ts";

const order = (more: Partial<DeclaredSubscription>, ofBroker?: "none" | "key" | "topic") => {
  const options = subscriptionOptions({ pubsub: "p", topic: "t", metadata: {}, ...more }, POLICY, ofBroker);
  return typeof options === "string" ? options : options.order;
};

test("a subscription's order: what is declared, else what the app says, else what the broker's users are used to", () => {
  expect(order({})).toBe("none");
  expect(order({}, "key")).toBe("key");
  expect(order({ metadata: { order: "topic" } }, "key")).toBe("topic");
  expect(order({ order: "none", metadata: { order: "topic" } }, "key")).toBe("none");
});
