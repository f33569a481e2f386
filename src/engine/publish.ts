import { ttlMs } from "../cloudevents/expiry.ts";
import { wrap } from "../cloudevents/wrap.ts";
import { CatalogueError } from "../errors/catalogue.ts";
import type { ErrorCode } from "../errors/code.ts";
import type { Clock } from "../pubsub/clock.ts";
import type { PubSubError } from "../pubsub/error.ts";
import type { PubSub } from "../pubsub/pubsub.ts";
import type { PubSubMeasures } from "../telemetry/measures.ts";
import type { Outbox } from "./outbox.ts";
import { wantsRaw } from "./raw-payload.ts";
import { BreakerOpen, BufferFull, RateExceeded } from "./refusals.ts";
import type { Message } from "./waiting.ts";

/** A publish as any API takes it in. */
export interface PublishRequest {
  readonly pubsub: string;
  readonly topic: string;
  readonly data: Uint8Array;
  /** Empty: `text/plain`. */
  readonly contentType: string;
  /** Reaches the subscribers. `ttlInSeconds`, `partitionKey` and `rawPayload` mean the same on every broker, `dedupId` where it removes repeats. */
  readonly metadata: Readonly<Record<string, string>>;
  /** The caller's, milliseconds since the epoch. */
  readonly deadline?: number | undefined;
}

/** Where a publish goes. */
export interface Publishing {
  /** The largest message that may be published there, in bytes. */
  readonly maxBytes: number;
  readonly pubsub: PubSub;
  readonly outbox: Outbox;
  readonly measures: PubSubMeasures;
}

/** The engine's own attributes of a raw payload, which has no envelope to carry them. They are taken off again before the app sees it. */
export const CONTENT_TYPE = "layotto-content-type";
export const EXPIRATION = "layotto-expiration";

/** Checks, wraps and sends one message. `done` is called once: with no error when the broker has it (D1). Layotto's texts, where it has one. */
export function publish(
  targets: ReadonlyMap<string, Publishing>,
  request: PublishRequest,
  clock: Clock,
  done: (error?: CatalogueError) => void,
): void {
  const target = targets.get(request.pubsub);
  if (!target) {
    done(unknownTarget(request));
    return;
  }
  const { outbox, measures } = target;
  const startedAt = clock.elapsed();
  const answer = (error?: CatalogueError): void => {
    const counts = measures.publishing(request.topic);
    if (error) counts.failed.set(error.code, (counts.failed.get(error.code) ?? 0) + 1);
    else counts.published += 1;
    measures.publishSeconds.observe((clock.elapsed() - startedAt) / 1_000);
    done(error);
  };
  const message = prepare(request, Math.min(target.maxBytes, target.pubsub.capabilities.maxBytes), clock);
  if (message instanceof CatalogueError) answer(message);
  else outbox.publish(message, { published: (error) => answer(error && explain(request, error)) }, request.deadline);
}

function unknownTarget({ pubsub, topic }: PublishRequest): CatalogueError {
  if (pubsub === "") return new CatalogueError("PUBSUB_NAME_EMPTY");
  return new CatalogueError(topic === "" ? "TOPIC_EMPTY" : "PUBSUB_NOT_FOUND", { pubsub });
}

function prepare(request: PublishRequest, limit: number, clock: Clock): Message | CatalogueError {
  const { pubsub, topic, data } = request;
  if (topic === "") return new CatalogueError("TOPIC_EMPTY", { pubsub });
  if (data.length > limit) return new CatalogueError("MESSAGE_TOO_LARGE", { topic, pubsub, size: data.length, limit });
  try {
    return envelope(request, clock);
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof RangeError)) throw error;
    return new CatalogueError("CLOUD_EVENT_INVALID", { reason: error.message });
  }
}

function envelope(request: PublishRequest, clock: Clock): Message {
  const { metadata, topic } = request;
  const ttl = ttlMs(metadata);
  const expiresAt = ttl === undefined ? undefined : clock.now() + ttl;
  const key = metadata.partitionKey || undefined;
  const dedupId = metadata.dedupId || undefined;
  if (wantsRaw(metadata)) {
    const attributes: Record<string, string> = { ...metadata };
    if (request.contentType !== "") attributes[CONTENT_TYPE] = request.contentType;
    if (expiresAt !== undefined) attributes[EXPIRATION] = new Date(expiresAt).toISOString();
    return { topic, data: request.data, attributes, key, expiresAt, dedupId };
  }
  const data = wrap({ topic, pubsub: request.pubsub, contentType: request.contentType, data: request.data, expiresAt });
  return { topic, data, attributes: metadata, key, expiresAt, dedupId };
}

/** The broker did not take it while there was time, for whatever reason. */
const TIMED_OUT: ReadonlySet<ErrorCode> = new Set(["unavailable", "deadline_exceeded", "cancelled"]);

function explain(request: PublishRequest, error: PubSubError): CatalogueError {
  const values = { topic: request.topic, pubsub: request.pubsub, reason: error.message };
  if (error instanceof BufferFull) return new CatalogueError("PUBLISH_BUFFER_FULL", { ...values, limit: error.limit });
  if (error instanceof BreakerOpen) return new CatalogueError("PUBLISH_BREAKER_OPEN", values);
  if (error instanceof RateExceeded) return new CatalogueError("PUBLISH_RATE_EXCEEDED", values);
  if (TIMED_OUT.has(error.code)) return new CatalogueError("PUBLISH_TIMED_OUT", values);
  return new CatalogueError("PUBLISH_REFUSED", values, error.code);
}
