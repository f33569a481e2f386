import type { ErrorCode } from "../../errors/code.ts";
import { PubSubError } from "../../pubsub/error.ts";

/** What the first word of a server's error means. Whatever the server answers with an error it has not done: outcome `rejected`. */
const REPLIES: Readonly<Record<string, { readonly code: ErrorCode; readonly permanent?: true }>> = {
  WRONGTYPE: { code: "failed_precondition", permanent: true },
  OOM: { code: "resource_exhausted" },
  NOPERM: { code: "permission_denied", permanent: true },
  NOAUTH: { code: "unauthenticated" },
  WRONGPASS: { code: "unauthenticated" },
  NOGROUP: { code: "not_found" },
  BUSYGROUP: { code: "already_exists" },
  // Our own scripts say these two.
  FENCED: { code: "failed_precondition" },
  LED: { code: "failed_precondition" },
  CROSSSLOT: { code: "failed_precondition", permanent: true },
  READONLY: { code: "unavailable" },
  LOADING: { code: "unavailable" },
  MASTERDOWN: { code: "unavailable" },
  CLUSTERDOWN: { code: "unavailable" },
  MOVED: { code: "unavailable" },
  ASK: { code: "unavailable" },
  TRYAGAIN: { code: "unavailable" },
  BUSY: { code: "unavailable" },
  MISCONF: { code: "unavailable" },
  NOREPLICAS: { code: "unavailable" },
};

/** An error that the server answered. `word` is how it names it: decisions are made by that, never by the text. */
export class ReplyError extends PubSubError {
  readonly word: string;

  constructor(word: string, message: string) {
    const unknownCommand = word === "ERR" && /unknown (sub)?command/i.test(message);
    const known = REPLIES[word];
    super(known?.code ?? (unknownCommand ? "unimplemented" : "internal"), message, { permanent: known?.permanent ?? unknownCommand });
    this.word = word;
  }
}

const ELSEWHERE: ReadonlySet<string> = new Set(["MOVED", "ASK", "CLUSTERDOWN", "TRYAGAIN"]);

/** The server says that the stream is not, or not only, with it. */
export function livesElsewhere(error: PubSubError): boolean {
  return error instanceof ReplyError && ELSEWHERE.has(error.word);
}

/** The lead has passed to another: nothing was done. */
export function isFenced(error: PubSubError): boolean {
  return error instanceof ReplyError && error.word === "FENCED";
}

/** The server does not know a script yet, or any more. */
export function isNoScript(error: unknown): boolean {
  return error instanceof ReplyError && error.word === "NOSCRIPT";
}

/** The group has a leader: who reads without order has no place in it. */
export function isLed(error: PubSubError): boolean {
  return error instanceof ReplyError && error.word === "LED";
}

/** The keys of one command are on several servers: one address stands for them all. */
export function isApart(error: PubSubError): boolean {
  return error instanceof ReplyError && error.word === "CROSSSLOT";
}

/** The first word of a server's error text. */
export function wordOf(text: string): string {
  const [first = ""] = text.split(" ", 1);
  if (first !== "ERR") return first;
  // Before Redis 7 a script hides the word of the command that failed in it.
  return /@user_script:\s*\d+:\s*-?([A-Z]+)/.exec(text)?.[1] ?? first;
}

/** Turns the server's answer into our error. */
export function replyError(doing: string, word: string, text: string): ReplyError {
  // What the server does not know it repeats, a password or a payload with it.
  return new ReplyError(word, `${doing}: ${text.replace(/, with args beginning with:.*$/s, "")}`);
}
