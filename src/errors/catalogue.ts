import type { ErrorCode } from "./code.ts";

interface Entry {
  readonly code: ErrorCode;
  /** What it is instead where the cause knows better. */
  readonly also?: readonly ErrorCode[];
  /** `{name}` is filled in. Layotto's own texts stand as its clients know them. */
  readonly text: string;
  readonly remedy: string;
}

/** Every error that a user can see, by its stable id. */
const CATALOGUE = {
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
    remedy: "Publish more slowly, or raise publish.buffer in the configuration.",
  },
  PUBLISH_RATE_EXCEEDED: {
    code: "resource_exhausted",
    text: "error when publish to topic {topic} in pubsub {pubsub}: {reason}",
    remedy: "Publish more slowly, or raise publish.rate in the configuration; a longer publish.timeout lets more wait for their turn.",
  },
  PUBLISH_BREAKER_OPEN: {
    code: "unavailable",
    text: "error when publish to topic {topic} in pubsub {pubsub}: {reason}",
    remedy: "Mend what made the broker fail, and publish again when publish.breaker.pause is over: the next call is tried then.",
  },
  PUBLISH_REFUSED: {
    code: "internal",
    also: ["failed_precondition", "resource_exhausted"],
    text: "error when publish to topic {topic} in pubsub {pubsub}: {reason}",
    remedy: "The broker refused the message for the reason it gives: mend that before you try again.",
  },
  PUBLISH_TIMED_OUT: {
    code: "unavailable",
    text: "error when publish to topic {topic} in pubsub {pubsub}: {reason}",
    remedy: "The broker did not take the message in time. Check that it runs and can be reached, then publish again.",
  },
  LISTEN_FAILED: {
    code: "unavailable",
    text: "cannot listen on {address}: {reason}",
    remedy:
      "Stop the program that has it, or choose another: --grpc-port, --http-port, --metrics-port (0 is any free one), or listen in the configuration.",
  },
  CONFIG_NONE_FOUND: {
    code: "not_found",
    text: "none of {files}",
    remedy: "Name a configuration file with -c, or start with --embedded to try it without a broker.",
  },
  CONFIG_UNREADABLE: {
    code: "not_found",
    text: "{reason}",
    remedy: "Check the name and the permissions of the file.",
  },
  CONFIG_EMPTY: {
    code: "invalid_argument",
    text: "an empty file",
    remedy: "Start from one of the samples in configs/.",
  },
  CONFIG_SYNTAX: {
    code: "invalid_argument",
    text: "{what}",
    remedy: "Correct the JSON or YAML at this line. What stands before it is often the cause.",
  },
  CONFIG_DEAD_LETTER_LOOP: {
    code: "invalid_argument",
    text: 'the dead-letter topic of "{topic}" is that topic itself: what fails would come again without end',
    remedy: "Name another topic for the dead letters.",
  },
  CONFIG_DUPLICATE_KEY: {
    code: "invalid_argument",
    text: 'the key "{key}" a second time',
    remedy: "Keep one of the two.",
  },
  CONFIG_UNKNOWN_KEY: {
    code: "invalid_argument",
    text: 'unknown key "{key}"',
    remedy: "Use one of the keys that the error lists, or remove it.",
  },
  CONFIG_MISSING: {
    code: "invalid_argument",
    text: "nothing",
    remedy: "Add the key with a value of the kind that the error names.",
  },
  CONFIG_VALUE: {
    code: "invalid_argument",
    text: "{value}",
    remedy: "Give the key a value of the kind that the error names.",
  },
  CONFIG_UNKNOWN_TYPE: {
    code: "invalid_argument",
    text: "the component type {type}",
    remedy: "Use one of the types that the error lists.",
  },
  CONFIG_UNKNOWN_PUBSUB: {
    code: "invalid_argument",
    text: '"{pubsub}", which is not configured',
    remedy: "Use the name of a component in the configuration, or add the component there.",
  },
  CONFIG_SUBSCRIPTION_TWICE: {
    code: "invalid_argument",
    text: "the topic {topic} of {pubsub} a second time",
    remedy: "Keep one of the two.",
  },
  CONFIG_ADDRESS_TWICE: {
    code: "invalid_argument",
    text: "{address}, which is taken by {other}",
    remedy: "Give each listener an address of its own.",
  },
  CONFIG_VARIABLE_UNSET: {
    code: "invalid_argument",
    text: "the variable {name}, which is not set",
    remedy: "Set it in the environment, or give it a default as in ${NAME:-default}.",
  },
  CONFIG_VARIABLE_SYNTAX: {
    code: "invalid_argument",
    text: "a variable that cannot be read",
    remedy: "Write ${NAME} or ${NAME:-default}, and $${ where the text ${ itself is meant.",
  },
  CONFIG_SECRET: {
    code: "invalid_argument",
    text: "the secret {reference}: {reason}",
    remedy: "Correct the reference, or provide the secret where it points to.",
  },
} as const satisfies Readonly<Record<string, Entry>>;

export type ErrorId = keyof typeof CATALOGUE;

/** All of it, for the documentation. */
export const catalogue: readonly (Entry & { readonly id: string })[] = Object.entries(CATALOGUE).map(([id, entry]) => ({ id, ...entry }));

/** The entry's text with its holes filled in. */
export function sentence(id: ErrorId, values: Readonly<Record<string, string | number>>): string {
  return CATALOGUE[id].text.replace(/\{(\w+)\}/g, (hole, name: string) => String(values[name] ?? hole));
}

/** An error from the catalogue. Programs act on `code`, people read `message` and `remedy`. */
export class CatalogueError extends Error {
  override readonly name = "CatalogueError";
  readonly id: ErrorId;
  readonly code: ErrorCode;
  readonly remedy: string;

  /** `code` replaces the catalogue's, if it is one that the entry may have. */
  constructor(id: ErrorId, values: Readonly<Record<string, string | number>> = {}, code?: ErrorCode) {
    const entry: Entry = CATALOGUE[id];
    super(sentence(id, values));
    this.id = id;
    this.code = code && entry.also?.includes(code) ? code : entry.code;
    this.remedy = entry.remedy;
  }
}
