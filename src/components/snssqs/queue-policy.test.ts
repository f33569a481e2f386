import { expect, test } from "vitest";
import { policyFor } from "./queue-attributes.ts";
import { type Permission, permission } from "./queue-policy.ts";

const TOPIC = "arn:aws:sns:us-east-1:123456789012:orders";
const ALLOW = {
  Effect: "Allow",
  Principal: { Service: "sns.amazonaws.com" },
  Action: "sqs:SendMessage",
  Resource: "arn:aws:sqs:us-east-1:123456789012:q",
};
const TLS_ONLY = {
  Effect: "Deny",
  Principal: { AWS: "*" },
  Action: "sqs:*",
  Resource: "*",
  Condition: { Bool: { "aws:SecureTransport": "false" } },
};
const when = (operator: string, arn: unknown) => ({ ...ALLOW, Condition: { [operator]: { "aws:SourceArn": arn } } });

const POLICIES: readonly [what: string, statements: unknown, permission: Permission][] = [
  ["our own", JSON.parse(policyFor("arn:aws:sqs:us-east-1:123456789012:q", TOPIC)).Statement, "allowed"],
  ["one statement, not in a list", ALLOW, "allowed"],
  ["what CDK makes to enforce TLS", [TLS_ONLY], "nobody"],
  ["the same beside what allows us", [TLS_ONLY, when("ArnEquals", TOPIC)], "allowed"],
  ["no statement", [], "nobody"],
  ["a Deny that names the topic", [{ ...when("ArnEquals", TOPIC), Effect: "Deny" }], "nobody"],
  ["everybody", [{ ...ALLOW, Principal: "*" }], "allowed"],
  ["everybody, in the long form", [{ ...ALLOW, Principal: { AWS: ["*"] } }], "allowed"],
  ["an account", [{ ...ALLOW, Principal: { AWS: "arn:aws:iam::123456789012:root" } }], "nobody"],
  ["another service", [{ ...ALLOW, Principal: { Service: ["events.amazonaws.com"] } }], "nobody"],
  ["SNS beside another service", [{ ...ALLOW, Principal: { Service: ["events.amazonaws.com", "sns.amazonaws.com"] } }], "allowed"],
  ["the SNS of a region to opt into", [{ ...ALLOW, Principal: { Service: "sns.af-south-1.amazonaws.com" } }], "allowed"],
  ["receiving alone", [{ ...ALLOW, Action: ["sqs:ReceiveMessage", "sqs:SendMessageBatch"] }], "nobody"],
  ["all of SQS", [{ ...ALLOW, Action: "SQS:*" }], "allowed"],
  ["everything", [{ ...ALLOW, Action: ["*"] }], "allowed"],
  ["all but purging", [{ ...ALLOW, Action: undefined, NotAction: "sqs:PurgeQueue" }], "allowed"],
  ["all but sending", [{ ...ALLOW, Action: undefined, NotAction: "sqs:Send*" }], "nobody"],
  ["a topic whose name begins with this one's", [when("ArnEquals", `${TOPIC}-v2`)], "others"],
  ["a topic whose name ends with this one's", [when("StringLike", "arn:aws:sns:us-east-1:123456789012:new-orders")], "others"],
  ["this topic among others", [when("StringEquals", [`${TOPIC}-v2`, TOPIC])], "allowed"],
  ["another statement for this topic", [when("ArnLike", `${TOPIC}-v2`), when("ArnLike", TOPIC)], "allowed"],
  ["a pattern of this topic", [when("ArnLike", "arn:aws:sns:*:*:order?")], "allowed"],
  ["a pattern of ARNs, which know wildcards", [when("ArnEquals", "arn:aws:sns:us-east-1:123456789012:*")], "allowed"],
  ["a pattern of others", [when("StringLike", "arn:aws:sns:us-east-1:123456789012:order-*")], "others"],
  ["what looks like a pattern, and is a text", [when("StringEquals", "arn:aws:sns:us-east-1:123456789012:*")], "others"],
  ["dots that stand for themselves", [when("StringLike", TOPIC.replace("orders", "......"))], "others"],
  ["a name in other letters", [{ ...ALLOW, Condition: { ArnLikeIfExists: { "AWS:sourcearn": `${TOPIC}-v2` } } }], "others"],
  ["this account", [{ ...ALLOW, Condition: { StringEquals: { "aws:SourceAccount": "123456789012" } } }], "allowed"],
  ["another account", [{ ...ALLOW, Condition: { StringEquals: { "aws:SourceAccount": "210987654321" } } }], "others"],
  ["something else", [{ ...ALLOW, Condition: { Bool: { "aws:SecureTransport": "true" } } }], "allowed"],
  ["a topic, by a word that we do not know", [when("ArnNotLike", `${TOPIC}-v2`)], "allowed"],
  ["statements that are none", ["Allow"], "unknown"],
];

test.each(POLICIES)("a policy for %s", (_, Statement, expected) => {
  expect(permission(JSON.stringify({ Version: "2012-10-17", Statement }), TOPIC)).toBe(expected);
});

test.each(["Allow sns", "[]", "null", "{}"])("a policy that cannot be read: %s", (policy) => {
  expect(permission(policy, TOPIC)).toBe("unknown");
});
