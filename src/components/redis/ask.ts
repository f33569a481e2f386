import { within } from "../../pubsub/abort.ts";
import { Connection, type Dial } from "./connection.ts";

/**
 * Puts questions to a server over a connection of its own, which is tried once. Rejects with a PubSubError when there is none, with what
 * `questions` rejects with, and when `signal` aborts.
 */
export function ask<T>(dial: Dial, silenceMs: number, questions: (of: Connection) => Promise<T>, signal: AbortSignal): Promise<T> {
  const answer = Promise.withResolvers<T>();
  const connection = new Connection(dial, silenceMs, {
    up: () => questions(connection).then(answer.resolve, answer.reject),
    down: (error) => answer.reject(error),
    demoted: () => undefined,
  });
  connection.open();
  return within(answer.promise, signal, `asking ${dial.address}`).finally(() => connection.close());
}
