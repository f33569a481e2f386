import { PubSubError } from "../../pubsub/error.ts";
import type { Outgoing } from "../../pubsub/outgoing.ts";
import type { Argument, Command, Connection, Reply } from "./connection.ts";
import { xaddArguments } from "./entry.ts";
import { Script } from "./script.ts";

/**
 * By topic, the indexes of messages that are stored all together or not at all: where a key is there twice. Redis refuses by the command (a
 * large message when memory is short, and not the small one behind it), and no message of a key may be stored after one that was refused.
 */
export function boundTogether(messages: readonly Outgoing[]): ReadonlyMap<string, readonly number[]> {
  const keys = new Set<string>();
  const topics = new Set<string>();
  for (const { topic, key } of messages) {
    if (key === undefined) continue;
    const one = `${key.length} ${key}${topic}`;
    if (keys.has(one)) topics.add(topic);
    else keys.add(one);
  }
  const bound = new Map<string, number[]>();
  for (const topic of topics) bound.set(topic, []);
  if (topics.size > 0) for (const [index, { topic }] of messages.entries()) bound.get(topic)?.push(index);
  return bound;
}

/** (how many, field, value…)… → the ids. Stores them all or none: whether there is room is looked at before the first. */
const addAll = new Script(`
local ids, at = {}, 1
while at <= #ARGV do
  local last = at + ARGV[at]
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 1, last))
  at = last + 1
end
return ids`);

/** `replied` is called once for each of the messages, which are of one topic, by its place among them. */
export function storeTogether(
  connection: Connection,
  messages: readonly Outgoing[],
  replied: (at: number, error: PubSubError | undefined, reply: Reply) => void,
): void {
  if (!connection.transacts) {
    storeByScript(connection, messages, replied);
    return;
  }
  const commands = messages.map((message): Command => ["xadd", xaddArguments(message)]);
  connection.together(commands, (error, replies) => {
    const failed = new Map<string | undefined, PubSubError>();
    for (const [at, { key }] of messages.entries()) {
      const reply = replies[at] ?? null;
      const own = reply instanceof PubSubError ? reply : error;
      // Where the server refused only to do them together.
      const earlier = key === undefined ? undefined : failed.get(key);
      if (own) failed.set(key, own);
      if (own || !earlier) replied(at, own, own ? null : (reply as Reply));
      else
        replied(
          at,
          new PubSubError(earlier.code, `an earlier one of its key was refused: ${earlier.message}`, { outcome: "unknown" }),
          null,
        );
    }
  });
}

function storeByScript(
  connection: Connection,
  messages: readonly Outgoing[],
  replied: (at: number, error: PubSubError | undefined, reply: Reply) => void,
): void {
  const topic = String(messages[0]?.topic);
  const args = messages.flatMap((message): readonly Argument[] => {
    const [, , ...fields] = xaddArguments(message);
    return [String(fields.length), ...fields];
  });
  addAll.send(connection, [topic], args, (error, reply) => {
    for (const at of messages.keys()) replied(at, error, error ? null : ((reply as readonly Reply[])[at] ?? null));
  });
}
