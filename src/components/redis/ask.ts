import { within } from "../../pubsub/abort.ts";
import { type Command, Connection, type Dial, type Reply } from "./connection.ts";

/** One question to a server, over a connection of its own, which is tried once. Rejects with a PubSubError; when `signal` aborts as well. */
export function ask(dial: Dial, silenceMs: number, [name, args]: Command, signal: AbortSignal): Promise<Reply> {
  const answer = Promise.withResolvers<Reply>();
  const connection = new Connection(dial, silenceMs, {
    up: () => connection.send(name, args, (error, reply) => (error ? answer.reject(error) : answer.resolve(reply))),
    down: (error) => answer.reject(error),
    demoted: () => undefined,
  });
  connection.open();
  return within(answer.promise, signal, name).finally(() => connection.close());
}
