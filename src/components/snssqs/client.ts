import { type PublishBatchRequestEntry, SNS } from "@aws-sdk/client-sns";
import {
  type ChangeMessageVisibilityBatchRequestEntry,
  type DeleteMessageBatchRequestEntry,
  type Message,
  type ReceiveMessageCommandInput,
  SQS,
} from "@aws-sdk/client-sqs";
import { abortError } from "../../pubsub/abort.ts";
import type { Clock } from "../../pubsub/clock.ts";
import { PubSubError } from "../../pubsub/error.ts";
import type { SnsSqsOptions } from "./config.ts";
import { CLIENT_NAME, credentialsOf, NEVER_WARNS } from "./credentials.ts";
import { awsError } from "./errors.ts";

/** How the SDK's clients are told to give up. */
interface SendOptions {
  readonly abortSignal: AbortSignal;
}

/** Connections on which readers wait for messages: all that they may want. */
const POLLING_CONNECTIONS = 4_000;

/**
 * SNS and SQS as this component asks them. Every call is tried once, ends in time, and rejects with a PubSubError. Receiving, which waits
 * on the server's side, has connections of its own, so that nothing else waits behind it.
 */
export class Aws {
  readonly sns: SNS;
  readonly sqs: SQS;
  readonly #polling: SQS;
  readonly #options: SnsSqsOptions;
  readonly #clock: Clock;

  constructor(options: SnsSqsOptions, name: string, clock: Clock) {
    const credentials = credentialsOf(options, name, clock);
    const common = (maxSockets: number) => ({
      maxAttempts: 1,
      customUserAgent: CLIENT_NAME,
      requestHandler: {
        connectionTimeout: options.connectTimeout,
        ...NEVER_WARNS,
        httpAgent: { keepAlive: true, maxSockets },
        httpsAgent: { keepAlive: true, maxSockets },
      },
      ...(options.region !== undefined && { region: options.region }),
      ...(options.endpoint !== undefined && { endpoint: options.endpoint }),
      credentials,
    });
    this.sns = new SNS(common(options.maxConnections));
    // TLS protects what SQS would have checked by MD5, which a Node in FIPS mode does not have.
    // Nor is the URL of a queue the address to ask: what the environment says of that would count for nothing.
    const ofQueues = { useQueueUrlAsEndpoint: false, md5: false as const };
    this.sqs = new SQS({ ...common(options.maxConnections), ...ofQueues });
    this.#polling = new SQS({ ...common(POLLING_CONNECTIONS), ...ofQueues });
    this.#options = options;
    this.#clock = clock;
  }

  publish(TopicArn: string, PublishBatchRequestEntries: PublishBatchRequestEntry[], signal: AbortSignal) {
    const input = { TopicArn, PublishBatchRequestEntries };
    return this.call("PublishBatch", (options) => this.sns.publishBatch(input, options), signal);
  }

  /** `attempt`: asked again with the same, a FIFO queue gives what it gave the first time. */
  async receive(QueueUrl: string, MaxNumberOfMessages: number, signal: AbortSignal, attempt?: string): Promise<readonly Message[]> {
    const input: ReceiveMessageCommandInput = {
      QueueUrl,
      MaxNumberOfMessages,
      WaitTimeSeconds: this.#options.waitSeconds,
      VisibilityTimeout: this.#options.leaseSeconds,
      ...(attempt !== undefined && { ReceiveRequestAttemptId: attempt }),
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"],
    };
    const waits = this.#options.requestTimeout + this.#options.waitSeconds * 1_000;
    const { Messages = [] } = await this.call("ReceiveMessage", (options) => this.#polling.receiveMessage(input, options), signal, waits);
    return Messages;
  }

  delete(QueueUrl: string, Entries: DeleteMessageBatchRequestEntry[]) {
    return this.call("DeleteMessageBatch", (options) => this.sqs.deleteMessageBatch({ QueueUrl, Entries }, options));
  }

  /** `ms`: a shorter limit than that of other calls. */
  changeVisibility(QueueUrl: string, Entries: ChangeMessageVisibilityBatchRequestEntry[], ms = Number.POSITIVE_INFINITY) {
    const change = (options: SendOptions) => this.sqs.changeMessageVisibilityBatch({ QueueUrl, Entries }, options);
    return this.call("ChangeMessageVisibilityBatch", change, undefined, Math.min(ms, this.#options.requestTimeout));
  }

  /** `send` gets what the SDK's clients take as options. Ends at once when `signal` aborts, whatever the client is waiting for. */
  call<T>(doing: string, send: (options: SendOptions) => Promise<T>, signal?: AbortSignal, ms = this.#options.requestTimeout): Promise<T> {
    if (signal?.aborted) return Promise.reject(abortError(doing, signal, "rejected"));
    const controller = new AbortController();
    return new Promise((resolve, reject) => {
      const giveUp = (error: PubSubError) => {
        reject(error);
        controller.abort();
      };
      const late = () => giveUp(new PubSubError("unavailable", `${doing}: no answer within ${ms} ms`, { outcome: "unknown" }));
      const cancelLate = this.#clock.after(ms, late);
      const aborted = () => giveUp(abortError(doing, signal as AbortSignal, "unknown"));
      signal?.addEventListener("abort", aborted, { once: true });
      const over = () => {
        cancelLate();
        signal?.removeEventListener("abort", aborted);
      };
      send({ abortSignal: controller.signal })
        .finally(over)
        .then(resolve, (error: unknown) => {
          // Given up above: what that makes of the request is of no interest.
          if (!controller.signal.aborted) rejectWith(reject, doing, error);
        });
    });
  }

  close(): void {
    for (const client of [this.sns, this.sqs, this.#polling]) client.destroy();
  }
}

function rejectWith(reject: (error: unknown) => void, doing: string, error: unknown): void {
  try {
    reject(awsError(doing, error));
  } catch (fault) {
    reject(fault);
  }
}
