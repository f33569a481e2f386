import { crypto } from "../../pubsub/crypto.ts";
import type { Argument, Command, Connection, Reply, ReplyCallback } from "./connection.ts";
import { isNoScript } from "./errors.ts";
import { CONSUMER_PREFIX, LEADER } from "./member.ts";

/** What must be decided and done by the server in one step. Its keys share a slot. */
export class Script {
  readonly #lua: string;
  #known: string | undefined;

  constructor(lua: string) {
    this.#lua = lua;
  }

  get #sha(): string {
    this.#known ??= crypto().createHash("sha1").update(this.#lua).digest("hex");
    return this.#known;
  }

  /** As a command, for a server that knows the script. */
  command(keys: readonly string[], args: readonly Argument[]): Command {
    return ["evalsha", [this.#sha, String(keys.length), ...keys, ...args]];
  }

  run(connection: Connection, keys: readonly string[], ...args: readonly Argument[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.send(connection, keys, args, (error, reply) => (error ? reject(error) : resolve(reply)));
    });
  }

  send(connection: Connection, keys: readonly string[], args: readonly Argument[], callback: ReplyCallback): void {
    const rest = [String(keys.length), ...keys, ...args];
    connection.send("evalsha", [this.#sha, ...rest], (error, reply) => {
      if (isNoScript(error)) connection.send("eval", [this.#lua, ...rest], callback);
      else callback(error, reply);
    });
  }
}

/** Fields of an XINFO row, and comparison of ids: numbers of 64 bits, so as text, the longer the greater. */
export const LIBRARY = `
local function field(row, name)
  for i = 1, #row, 2 do if row[i] == name then return row[i + 1] end end
end
local function less(a, b)
  local ams, aseq = string.match(a, '^(%d+)-(%d+)$')
  local bms, bseq = string.match(b, '^(%d+)-(%d+)$')
  if ams ~= bms then
    if #ams ~= #bms then return #ams < #bms end
    return ams < bms
  end
  if #aseq ~= #bseq then return #aseq < #bseq end
  return aseq < bseq
end
local function groupOf(key, name)
  for _, row in ipairs(redis.call('XINFO', 'GROUPS', key)) do
    if field(row, 'name') == name then return row end
  end
end
`;

/**
 * Whoever reads in order has its lead as the second key, and ARGV[2], the consumer, is what stands there as long as it has it. What comes
 * from one that has it no longer, because it was held up or its connection was, must not be done.
 */
export const FENCE = `
local function fenced(lead)
  if lead and redis.call('GET', lead) ~= ARGV[2] then
    return redis.error_reply('FENCED the lead of ' .. ARGV[1] .. ' is not with ' .. ARGV[2] .. ' any more')
  end
end
`;

/**
 * A consumer shows that it is there by asking for what is pending with it after every id; that makes it known, too. A server that is full
 * takes no XGROUP CREATECONSUMER, and reading is what makes room. Who reads without order finds a leader by its consumer, and so needs no
 * right to any other key than the topic.
 */
export const PRESENCE = `
local function ours(name) return string.sub(name, 1, ${CONSUMER_PREFIX.length}) == '${CONSUMER_PREFIX}' end
local function leads(name) return ours(name) and string.match(name, '${LEADER}%d+$') end
local function alive(name)
  redis.call('XREADGROUP', 'GROUP', ARGV[1], name, 'COUNT', 1, 'STREAMS', KEYS[1], '18446744073709551615-0')
end
local function refuseIfLed(lease)
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local name = field(row, 'name')
    if leads(name) and field(row, 'idle') < tonumber(lease) then
      return redis.error_reply('LED ' .. name .. ' reads the group ' .. ARGV[1] .. ' in order, and all its readers must ask for the same')
    end
  end
end
`;
