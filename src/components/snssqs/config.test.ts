import { expect, test } from "vitest";
import { snsSqsOptions } from "./config.ts";

test("Dapr's keys mean what they mean there, with the defaults of ours", () => {
  const options = snsSqsOptions.parse({
    region: "eu-west-1",
    accessKey: "a",
    secretKey: "s",
    messageVisibilityTimeout: "20",
    messageRetryLimit: "3",
    sqsDeadLettersQueueName: "dead",
    messageReceiveLimit: "5",
    fifo: "true",
    disableEntityManagement: "false",
    concurrencyMode: "parallel",
  });
  expect(options).toMatchObject({ leaseSeconds: 20, waitSeconds: 2, messageMaxNumber: 10, fifo: true, disableEntityManagement: false });
  expect(options).toMatchObject({ retention: 14 * 86_400_000, onUnroutable: "refuse", allowRedrive: false });
});

test("older names are heard, empty ones mean the default", () => {
  const older = { awsRegion: "eu-west-1", awsAccountID: "a", awsSecret: "s", endpoint: "", messageWaitTimeSeconds: "" };
  expect(snsSqsOptions.parse(older)).toMatchObject({
    region: "eu-west-1",
    accessKey: "a",
    secretKey: "s",
    endpoint: undefined,
    waitSeconds: 2,
  });
});

test("a receive waits for half a lease at most: what it brings at last is ours long enough to be handled", () => {
  const wait = (lease: number, asked: number) =>
    snsSqsOptions.parse({ messageVisibilityTimeout: lease, messageWaitTimeSeconds: asked }).waitSeconds;
  expect([wait(10, 20), wait(10, 5), wait(10, 2), wait(3, 2), wait(2, 1)]).toEqual([5, 5, 2, 1, 1]);
});

test.each([
  [{ accessKey: "a" }, "accessKey and secretKey belong together"],
  [{ sessionToken: "t" }, "sessionToken needs accessKey and secretKey"],
  [{ endpoint: "localhost" }, "expected a URL"],
  [{ accountId: "12" }, "twelve digits"],
  [{ messageVisibilityTimeout: 1 }, "from 2 to 43200"],
  [{ messageMaxNumber: 11 }, "from 1 to 10"],
  [{ retention: "15d" }, "1m to 14d"],
  [{ trustAnchorArn: "arn" }, "IAM Roles Anywhere is not supported"],
  [{ region: "r", misspelt: "x" }, "misspelt"],
])("%o is refused", (given, why) => {
  expect(snsSqsOptions.safeParse(given).error?.message).toContain(why);
});
