import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { benchOn, metadata, openSnsSqs } from "./bench.fixture.ts";

/** Deletes, by queue: they wait for the test's answer. */
const deletes = new Map<string, PromiseWithResolvers<ServerResponse>>(["refused", "slow"].map((name) => [name, Promise.withResolvers()]));
const server = createServer(async (request, response) => answer(await bodyOf(request), String(request.headers["x-amz-target"]), response));
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** An SQS of queues with one message. */
function answer({ QueueName, QueueUrl = "" }: Record<string, string>, target: string, response: ServerResponse): void {
  const name = QueueUrl.split("/").at(-1) ?? "";
  const say = (said: object) => response.end(JSON.stringify(said));
  if (target.endsWith(".GetQueueUrl")) say({ QueueUrl: `http://localhost/123456789012/${QueueName}` });
  else if (target.endsWith(".GetQueueAttributes")) say({ Attributes: { QueueArn: `arn:aws:sqs:us-east-1:123456789012:${name}` } });
  else if (target.endsWith(".ReceiveMessage")) say({ Messages: [{ MessageId: name, ReceiptHandle: "r", Body: name }] });
  else deletes.get(name)?.resolve(response);
}

test("one reader whose close fails does not keep the others from settling", async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const bench = benchOn({});
  const pubsub = openSnsSqs(metadata(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  const read = async (queueName: string) => {
    const reading = await bench.read(pubsub, { group: queueName, options: { queueName }, messages: 1 });
    const delivery = await reading.sink.one();
    reading.subscription.window(0, 0);
    delivery.ack();
    return reading.subscription;
  };
  const refused = await read("refused");
  const slow = await read("slow");
  const [refusing, answering] = await Promise.all([...deletes.values()].map(({ promise }) => promise));
  const ended: string[] = [];
  const closing = expect(pubsub.close(bench.patience).finally(() => ended.push("all"))).rejects.toMatchObject({
    code: "permission_denied",
  });
  refusing?.writeHead(400).end(JSON.stringify({ __type: "com.amazonaws.sqs#AccessDeniedException" }));
  await refused.closed;
  await new Promise((resolve) => setImmediate(resolve));
  expect(ended).toEqual([]);
  answering?.end(JSON.stringify({ Successful: [{ Id: "0" }] }));
  await slow.flush(bench.patience);
  expect(await slow.closed).toBeUndefined();
  await closing;
});

async function bodyOf(request: IncomingMessage): Promise<Record<string, string>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
}
