import type { ErrorCode } from "./code.ts";

interface Entry {
  readonly code: ErrorCode;
  /** `{name}` is filled in. Layotto's own texts stand as its clients know them. */
  readonly text: string;
  readonly remedy: string;
}

/** Every error that a user can see, by its stable id. */
export const CATALOGUE = {
  PUBSUB_NAME_EMPTY: {
    code: "invalid_argument",
    text: "pubsub name is empty",
    remedy: "Set pubsub_name to the name of a component in the configuration.",
  },
  TOPIC_EMPTY: { code: "invalid_argument", text: "topic is empty in pubsub {pubsub}", remedy: "Set topic." },
  PUBSUB_NOT_FOUND: {
    code: "invalid_argument",
    text: "pubsub {pubsub} not found",
    remedy: "Use the name of a component in the configuration, or add the component there.",
  },
  CLOUD_EVENT_INVALID: {
    code: "invalid_argument",
    text: "cannot create cloudevent: {reason}",
    remedy: "Correct the event or its metadata as the text says.",
  },
  MESSAGE_TOO_LARGE: {
    code: "resource_exhausted",
    text: "error when publish to topic {topic} in pubsub {pubsub}: the message has {size} bytes, the limit is {limit}",
    remedy: "Send less, or keep the body elsewhere and publish a reference to it.",
  },
  PUBLISH_BUFFER_FULL: {
    code: "resource_exhausted",
    text: "error when publish to topic {topic} in pubsub {pubsub}: {limit} bytes of publishes are waiting already",
    remedy: "Publish more slowly, or raise publishBuffer.",
  },
  PUBLISH_REFUSED: {
    code: "internal",
    text: "error when publish to topic {topic} in pubsub {pubsub}: {reason}",
    remedy: "The broker refused the message for the reason it gives; trying again will not help.",
  },
  PUBLISH_TIMED_OUT: {
    code: "unavailable",
    text: "error when publish to topic {topic} in pubsub {pubsub}: {reason}",
    remedy: "The broker did not take the message in time. Check that it runs and can be reached, then publish again.",
  },
} as const satisfies Readonly<Record<string, Entry>>;

export type ErrorId = keyof typeof CATALOGUE;

/** An error from the catalogue. Programs act on `code`, people read `message` and `remedy`. */
export class CatalogueError extends Error {
  override readonly name = "CatalogueError";
  readonly id: ErrorId;
  readonly code: ErrorCode;
  readonly remedy: string;

  /** `code` replaces the catalogue's where the cause knows better. */
  constructor(id: ErrorId, values: Readonly<Record<string, string | number>> = {}, code?: ErrorCode) {
    const entry = CATALOGUE[id];
    super(entry.text.replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole)));
    this.id = id;
    this.code = code ?? entry.code;
    this.remedy = entry.remedy;
  }
}
