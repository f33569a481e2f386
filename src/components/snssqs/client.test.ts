import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { SteppedClock } from "../../conformance/stepped-clock.ts";
import { type Clock, systemClock } from "../../pubsub/clock.ts";
import { Aws } from "./client.ts";
import { snsSqsOptions } from "./config.ts";

const PATIENCE_MS = 10_000;
const ACCOUNT = { region: "us-east-1", accessKey: "test", secretKey: "test" };

let server: Server | undefined;
let aws: Aws | undefined;
afterEach(() => {
  aws?.close();
  server?.closeAllConnections();
  server?.close();
});

/** The SDK's own clients against a server that answers so. */
async function against(answer: RequestListener, more: Readonly<Record<string, unknown>> = {}, clock: Clock = systemClock): Promise<Aws> {
  server = createServer((request, response) => request.resume().on("end", () => answer(request, response)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  aws = new Aws(snsSqsOptions.parse({ ...ACCOUNT, endpoint, ...more }), "test", clock);
  return aws;
}

const PUBLISHED = "<PublishBatchResponse><PublishBatchResult><Successful><member><Id>0</Id></member></Successful></PublishBatchResult>";
const publish = (to: Aws) =>
  to.publish("arn:aws:sns:us-east-1:123456789012:t", [{ Id: "0", Message: "a" }], AbortSignal.timeout(PATIENCE_MS));
const remove = (to: Aws) => to.delete("http://localhost/123456789012/q", [{ Id: "0", ReceiptHandle: "r" }]);

/** Ends the connection within the body. */
const cut =
  (type: string, body: string): RequestListener =>
  (_, response) => {
    response.writeHead(200, { "content-type": type, "content-length": body.length + 100 });
    response.write(body, () => response.destroy());
  };
const says =
  (status: number, type: string, body: string): RequestListener =>
  (_, response) => {
    response.writeHead(status, { "content-type": type }).end(body);
  };

test.each([
  ["SNS's answer breaks off", cut("text/xml", PUBLISHED), publish],
  ["SNS's answer is cut short", says(200, "text/xml", PUBLISHED), publish],
  ["SNS's answer is none of SNS's", says(200, "text/html", "<html><br>Please log in</html>"), publish],
  ["SQS's answer breaks off", cut("application/x-amz-json-1.0", '{"Successful":['), remove],
  ["SQS's answer is cut short", says(200, "application/x-amz-json-1.0", '{"Successful":['), remove],
  ["SQS's answer is none of SQS's", says(200, "text/html", "<html>Please log in</html>"), remove],
  ["what answers for SQS is a proxy", says(502, "text/html", "<html>Bad gateway</html>"), remove],
  ["what refuses for SQS is a proxy", says(403, "text/html", "<html>Forbidden</html>"), remove],
])("%s: it may be done", async (_, answer, ask) => {
  const asked = ask(await against(answer));
  await expect(asked).rejects.toMatchObject({ name: "PubSubError", code: "unavailable", outcome: "unknown", permanent: false });
});

const surprise = "<ErrorResponse><Error><Type>Sender</Type><Code>Surprise</Code><Message>why</Message></Error></ErrorResponse>";
test.each([
  ["SNS", says(400, "text/xml", surprise), publish],
  ["SQS", says(400, "application/x-amz-json-1.0", '{"__type":"com.amazonaws.sqs#Surprise","message":"why"}'), remove],
])("what %s refuses by a name that is new to us is refused", async (_, answer, ask) => {
  const asked = ask(await against(answer));
  await expect(asked).rejects.toMatchObject({ code: "internal", outcome: "rejected", message: expect.stringContaining("Surprise: why") });
});

test("a message whose checksum is not MD5's, or cannot be made here, is received all the same", async () => {
  const body = JSON.stringify({ Messages: [{ MessageId: "m", ReceiptHandle: "r", Body: "a", MD5OfBody: "0" }] });
  const client = await against(says(200, "application/x-amz-json-1.0", body));
  const received = await client.receive("http://localhost/123456789012/q", 1, AbortSignal.timeout(PATIENCE_MS));
  expect(received).toMatchObject([{ MessageId: "m", Body: "a" }]);
});

test.each([
  ["SNS", publish],
  ["SQS", remove],
])("a region that cannot be one is refused with clear words, by %s", async (_, ask) => {
  const asked = ask(await against(says(200, "text/plain", ""), { region: "eu west 1" }));
  const message = expect.stringMatching(/eu west 1.*set region/);
  await expect(asked).rejects.toMatchObject({
    name: "PubSubError",
    code: "invalid_argument",
    outcome: "rejected",
    permanent: true,
    message,
  });
});

test.each([
  ["its own limit", 2_500, 2_500],
  ["that of all calls", 60_000, 5_000],
  ["that of all calls, without one of its own", undefined, 5_000],
])("a change of visibility that hangs is given up after %s", async (_, own, ms) => {
  const clock = new SteppedClock();
  const client = await against(() => undefined, {}, clock);
  const changing = client.changeVisibility("http://localhost/123456789012/q", [{ Id: "0", ReceiptHandle: "r", VisibilityTimeout: 1 }], own);
  const given = expect(changing).rejects.toMatchObject({
    code: "unavailable",
    outcome: "unknown",
    message: expect.stringContaining(`${ms} ms`),
  });
  clock.advance(ms - 1);
  expect(clock.timers).toBe(1);
  clock.advance(1);
  await given;
});
