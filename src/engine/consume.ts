import type { AppEvent } from "../app/channel.ts";
import type { Event } from "../cloudevents/event.ts";
import { expiresAt } from "../cloudevents/expiry.ts";
import { rawEvent, unwrap } from "../cloudevents/unwrap.ts";
import { crypto } from "../pubsub/crypto.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import { DEAD_LETTER } from "./dead-letter.ts";
import { CONTENT_TYPE, EXPIRATION } from "./publish.ts";
import { wantsRaw } from "./raw-payload.ts";

const TTL = "ttlInSeconds";

/** A lent message as the event that the app gets: an envelope is opened, anything else is handed over as it is (D13). */
export function consume(delivery: Delivery, pubsub: string, rawWanted: boolean): AppEvent {
  const { attributes } = delivery;
  // Only a raw payload carries the engine's attributes: then a CloudEvent inside it is the publisher's business.
  const raw = CONTENT_TYPE in attributes || EXPIRATION in attributes;
  const event = rawWanted || CONTENT_TYPE in attributes ? undefined : unwrap(delivery.data);
  if (event && !raw) return appEvent(delivery, event, pubsub, attributes);
  const { [CONTENT_TYPE]: contentType, [EXPIRATION]: expiration, ...metadata } = attributes;
  // Of an envelope that is handed over as it is only the envelope says when it expires.
  const expires = expiresAt(expiration) ?? (rawWanted && TTL in attributes ? unwrap(delivery.data)?.expiresAt : undefined);
  return appEvent(delivery, event ?? { ...rawEvent(delivery.data, contentType), expiresAt: expires }, pubsub, metadata);
}

/** A dead letter is there to be looked at: it does not expire. Written out: every message passes here, and spreading an object costs a multiple. */
function appEvent(delivery: Delivery, event: Event, pubsub: string, metadata: AppEvent["metadata"]): AppEvent {
  const { source, type, specVersion, contentType, data, raw } = event;
  const expiresAt = DEAD_LETTER.id in metadata ? undefined : event.expiresAt;
  const id = event.id || idOf(delivery);
  return { id, source, type, specVersion, contentType, data, expiresAt, raw, topic: delivery.topic, pubsub, metadata };
}

/** Of a message that brought none: it stays the same (D13). */
function idOf({ position, data }: Delivery): string {
  return position ?? `sha256:${crypto().createHash("sha256").update(data).digest("hex")}`;
}

/** Whether its publisher wanted it to be without an envelope. */
export function sentRaw({ attributes }: Delivery): boolean {
  return CONTENT_TYPE in attributes || wantsRaw(attributes);
}
