import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeName, encodeName, groupOf, queueName, topicName, topicOf } from "./names.ts";

const NAME = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.string({ unit: fc.constantFrom("_", "x", "-", "2", "E", "H", "a", ".", "雪"), maxLength: 30 }),
);

test("a name that AWS takes stays as it is", () => {
  expect(topicName("orders_v2-eu", false).name).toBe("orders_v2-eu");
  expect(topicName("orders", true).name).toBe("orders.fifo");
  expect(queueName("orders", "app1", false).name).toBe("orders--app1");
  expect(queueName("orders", "app1", true).name).toBe("orders--app1.fifo");
});

test("a FIFO topic is the same with AWS's suffix and without, and has it once", () => {
  expect(topicName("orders.fifo", true).name).toBe("orders.fifo");
  expect(queueName("orders.fifo", "app1", true).name).toBe("orders--app1.fifo");
  expect(topicName("orders.fifo", false).name).toBe("orders_x2E_fifo");
});

test("other characters are escaped", () => {
  expect(topicName("orders.created/雪", false).name).toBe("orders_x2E_created_x2F__x96EA_");
  expect(topicName("a_x2E_b", false).name).toBe("a_x5F_x2E_b");
  expect(queueName("a-", "b", false).name).toBe("a_x2D_--b");
});

test("any name comes back, and AWS would take it", () => {
  fc.assert(
    fc.property(NAME, NAME, fc.boolean(), (topic, group, fifo) => {
      const sns = topicName(topic, fifo);
      const sqs = queueName(topic, group, fifo);
      expect(sns.name.replace(/\.fifo$/, "")).toMatch(/^[A-Za-z0-9_-]{0,256}$/);
      expect(sqs.name.length).toBeLessThanOrEqual(80);
      expect(decodeName(encodeName(topic))).toBe(topic);
      if (!sns.hashed) expect(topicOf(sns.name)).toBe(topic);
      if (!sqs.hashed) expect(groupOf(sqs.name)).toEqual({ topic, group });
    }),
  );
});

test("no two pairs of names share a queue", () => {
  fc.assert(
    fc.property(NAME, NAME, NAME, NAME, (topic, group, otherTopic, otherGroup) => {
      const same = topic === otherTopic && group === otherGroup;
      expect(queueName(topic, group, false).name === queueName(otherTopic, otherGroup, false).name).toBe(same);
    }),
  );
  expect(queueName("a", "b-c", false)).not.toEqual(queueName("a-b", "c", false));
  expect(queueName("a", "-b", false)).not.toEqual(queueName("a-", "b", false));
});

test("names that are too long are told apart by their hash, and do not pretend to tell what they stand for", () => {
  const long = (end: string) => "t".repeat(300) + end;
  const one = topicName(long("1"), true);
  expect(one.name).toHaveLength(256);
  expect(one.name).not.toBe(topicName(long("2"), true).name);
  expect(topicOf(one.name)).toBeUndefined();
  expect(groupOf(queueName(long("1"), "g", false).name)).toBeUndefined();
});

test("what looks like an escape and is no character is left as it is: it is another's name", () => {
  expect(topicOf("foo_xFFFFFF_bar")).toBe("foo_xFFFFFF_bar");
  expect(topicOf("foo_x10FFFF_bar")).toBe("foo\u{10FFFF}bar");
  expect(groupOf("foo_x110000_--b_x2E_")).toEqual({ topic: "foo_x110000_", group: "b." });
});
