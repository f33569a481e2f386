import type { Connection } from "./connection.ts";
import { Script } from "./script.ts";
import { keyBeside } from "./slot.ts";

/** Where a topic's groups of broadcast replicas stand: a hash of group and the time, by the server's clock, at which it may go. */
const broadcastKey = (topic: string): string => keyBeside(topic, "broadcast");

/** group, milliseconds: the group is kept at least so long. A full server lets go on who has begun with what needs no room. */
const keep = new Script(`
local now = redis.call('TIME')
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now[1] * 1000 + now[2] / 1000 + ARGV[2]))`);

/** key 2: the hash → how many groups stand there yet. Destroys those whose time has come. */
const drop = new Script(`
local now, left = redis.call('TIME'), 0
local at = redis.call('HGETALL', KEYS[2])
for i = 1, #at, 2 do
  if tonumber(at[i + 1]) > now[1] * 1000 + now[2] / 1000 then
    left = left + 1
  else
    if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('XGROUP', 'DESTROY', KEYS[1], at[i]) end
    redis.call('HDEL', KEYS[2], at[i])
  end
end
return left`);

export async function keepGroup(connection: Connection, topic: string, group: string, ms: number): Promise<void> {
  await keep.run(connection, [broadcastKey(topic)], group, String(ms));
}

/** Resolves to whether there are groups that may have to go later. */
export async function dropGroups(connection: Connection, topic: string): Promise<boolean> {
  return (await drop.run(connection, [topic, broadcastKey(topic)])) !== 0;
}
