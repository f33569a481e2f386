import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import { type Failure, toError } from "./errors.ts";
import { pack } from "./packing.ts";
import type { PublishFrame } from "./protocol.ts";

/** The message that a copy replaces: acknowledged in the same commit. */
export interface Replaced {
  readonly reader: number;
  readonly position: number;
}

/** One call of `publish` on its way: all of it is stored, or nothing. */
export class Publish {
  readonly messages: readonly Outgoing[];
  readonly replaced: Replaced | undefined;
  #state: "waiting" | "under way" | "over" = "waiting";
  readonly #unlisten: () => void;

  constructor(messages: readonly Outgoing[], signal: AbortSignal | undefined, replaced?: Replaced) {
    this.messages = messages;
    this.replaced = replaced;
    const aborted = () => this.#gaveUp();
    this.#unlisten = () => signal?.removeEventListener("abort", aborted);
    if (signal?.aborted) aborted();
    else signal?.addEventListener("abort", aborted, { once: true });
  }

  /** False when it was given up before. */
  begin(): boolean {
    if (this.#state === "over") return false;
    this.#state = "under way";
    return true;
  }

  /** `result`: a position a message of the whole frame, ours beginning at `from`; as in `Reply.published`. */
  answer(result: readonly number[] | Failure, from: number): void {
    if (this.#state === "over") return;
    this.#finish();
    for (const [index, message] of this.messages.entries()) {
      if ("code" in result) message.done(toError(result));
      else this.#stored(message, result[from + index] ?? 0);
    }
  }

  #stored(message: Outgoing, position: number): void {
    if (position < 0)
      message.done(new PubSubError("failed_precondition", "the message to replace is not lent any more", { permanent: true }));
    else message.done(undefined, position > 0 ? String(position) : undefined);
  }

  #gaveUp(): void {
    const outcome = this.#state === "under way" ? "unknown" : "rejected";
    this.#finish();
    for (const message of this.messages) message.done(new PubSubError("unavailable", "the store did not answer in time", { outcome }));
  }

  #finish(): void {
    this.#state = "over";
    this.#unlisten();
  }
}

/** What goes to the store: every message of every call, in columns. */
export function frameOf(publishes: readonly Publish[]): PublishFrame | undefined {
  if (publishes.length === 0) return undefined;
  const topics = new Map<string, number>();
  const moves: number[] = [];
  const messages: Outgoing[] = [];
  for (const { messages: some, replaced } of publishes) {
    if (replaced) moves.push(messages.length, replaced.reader, replaced.position);
    messages.push(...some);
  }
  const topic = messages.map(({ topic: name }) => {
    const index = topics.get(name) ?? topics.size;
    topics.set(name, index);
    return index;
  });
  return {
    topics: [...topics.keys()],
    topic,
    keys: messages.map(({ key }) => key ?? null),
    attributes: messages.map(({ attributes }) => (isEmpty(attributes) ? null : JSON.stringify(attributes))),
    expires: messages.map(({ expiresAt }) => whole(expiresAt)),
    notBefore: messages.map(({ notBefore }) => whole(notBefore)),
    sizes: messages.map(({ data }) => data.byteLength),
    data: pack(
      messages.map(({ data }) => data),
      false,
    ),
    moves,
  };
}

/** The file holds whole milliseconds. */
function whole(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.min(Math.ceil(ms), Number.MAX_SAFE_INTEGER);
}

function isEmpty(attributes: Readonly<Record<string, string>>): boolean {
  for (const _ in attributes) return false;
  return true;
}
