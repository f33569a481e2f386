import { createHash } from "node:crypto";
import type { AppEvent } from "../app/channel.ts";
import { expiresAt } from "../cloudevents/expiry.ts";
import { rawEvent, unwrap } from "../cloudevents/unwrap.ts";
import type { Delivery } from "../pubsub/delivery.ts";
import { CONTENT_TYPE, EXPIRATION } from "./publish.ts";

/** A lent message as the event that the app gets: an envelope is opened, anything else is handed over as it is (D13). */
export function consume(delivery: Delivery, pubsub: string, rawWanted: boolean): AppEvent {
  const id = delivery.position ?? `sha256:${createHash("sha256").update(delivery.data).digest("hex")}`;
  const { [CONTENT_TYPE]: contentType, [EXPIRATION]: expiration, ...metadata } = delivery.attributes;
  const rest = { topic: delivery.topic, pubsub, metadata };
  // Only a raw payload carries the engine's attributes: then a CloudEvent inside it is the publisher's business.
  const event = rawWanted || contentType !== undefined ? undefined : unwrap(delivery.data, id);
  if (event) return { ...event, ...rest };
  const expires = expiresAt(expiration);
  return { ...rawEvent(delivery.data, id, contentType), ...rest, ...(expires === undefined ? {} : { expiresAt: expires }) };
}

/** Whether its publisher wanted it to be without an envelope. */
export function sentRaw({ attributes }: Delivery): boolean {
  return CONTENT_TYPE in attributes || attributes.rawPayload?.toLowerCase() === "true";
}
