import { FENCE, LIBRARY, PRESENCE, Script } from "./script.ts";

/**
 * What only a group that is read in order needs. Key 1 is the stream, key 2 the lead: the name of the consumer that alone may read, for
 * as long as the key lives. It has a new name each time it gets the lead, so that the name alone tells old commands from new ones.
 */

/** The name of a consumer that would read past a leader: of another program, or of ours that reads without order. */
const OTHERS = `
local function other(lease, timeout)
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local name, idle = field(row, 'name'), field(row, 'idle')
    if not ours(name) then
      if idle < tonumber(timeout) then return name end
    elseif not leads(name) and idle < tonumber(lease) then
      return name
    end
  end
end
`;

/** group, lease, processingTimeout → a consumer that was active so lately and would read past a leader; nil: there is none. */
export const others = new Script(`${LIBRARY}${PRESENCE}${OTHERS}
return other(ARGV[2], ARGV[3])`);

/**
 * group, consumer, lease, processingTimeout → nil: another leads; a list of one: this other consumer is in the way; else the lead
 * is taken, and this is the id up to which the group has read.
 */
export const take = new Script(`${LIBRARY}${PRESENCE}${OTHERS}
local leader = redis.call('GET', KEYS[2])
if leader and leader ~= ARGV[2] then return false end
local group = redis.call('EXISTS', KEYS[1]) == 1 and groupOf(KEYS[1], ARGV[1])
if not group then return redis.error_reply('NOGROUP there is no group ' .. ARGV[1]) end
local name = other(ARGV[3], ARGV[4])
if name then return {name} end
-- A full server lets nobody begin with SET, and lets go on who has begun: reading is what makes room.
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
alive(ARGV[2])
return field(group, 'last-delivered-id')`);

/**
 * group, consumer, lease, after, count, consumerRetention → where the next page begins, whether this was the last (1), and pairs
 * of entry and failures. Claims what stands pending with anybody, in order; failures are kept, and another program's deliveries are none.
 * In the end deletes consumers that are of no use any more.
 */
export const resume = new Script(`${LIBRARY}${FENCE}${PRESENCE}
local refusal = fenced(KEYS[2])
if refusal then return refusal end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local rows, found = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[4], '+', ARGV[5]), {}
for _, row in ipairs(rows) do
  local id, claim = row[1], {'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, row[1], 'JUSTID'}
  local failures = math.max(0, row[4] - 1)
  if not ours(row[2]) then
    failures = 0
    claim[#claim + 1] = 'RETRYCOUNT'
    claim[#claim + 1] = 1
  end
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if entry then
    redis.call(unpack(claim))
    found[#found + 1] = {entry, failures}
  else
    redis.call('XACK', KEYS[1], ARGV[1], id)
  end
end
local last = #rows < tonumber(ARGV[5])
if last then
  for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
    local name = field(row, 'name')
    if name ~= ARGV[2] and ours(name) and field(row, 'pending') == 0
        and (leads(name) or field(row, 'idle') >= tonumber(ARGV[6])) then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], name)
    end
  end
end
return {#rows > 0 and '(' .. rows[#rows][1] or ARGV[4], last and 1 or 0, found}`);

/** group, consumer, lease → the id up to which the group has read. Renews the lead. */
export const position = new Script(`${LIBRARY}${FENCE}
local refusal = fenced(KEYS[2])
if refusal then return refusal end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local group = groupOf(KEYS[1], ARGV[1])
if not group then return redis.error_reply('NOGROUP there is no group ' .. ARGV[1]) end
return field(group, 'last-delivered-id')`);

/** group, consumer, lease, count, position → what XREADGROUP says; if the group has not read up to `position`, the id up to which it has, and nothing is read. */
export const readOn = new Script(`${LIBRARY}${FENCE}
local refusal = fenced(KEYS[2])
if refusal then return refusal end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local group = groupOf(KEYS[1], ARGV[1])
if not group then return redis.error_reply('NOGROUP there is no group ' .. ARGV[1]) end
local before = field(group, 'last-delivered-id')
if before ~= ARGV[5] then return before end
return redis.call('XREADGROUP', 'GROUP', ARGV[1], ARGV[2], 'COUNT', ARGV[4], 'STREAMS', KEYS[1], '>')`);

/** group, consumer, lease: renews the lead, and gives a sign of life. */
export const stayLeader = new Script(`${LIBRARY}${FENCE}${PRESENCE}
local refusal = fenced(KEYS[2])
if refusal then return refusal end
redis.call('PEXPIRE', KEYS[2], ARGV[3])
alive(ARGV[2])`);

/** group, consumer, id… Acknowledges them all: whoever leads has everything that stands pending. */
export const ackLed = new Script(`${FENCE}
local refusal = fenced(KEYS[2])
if refusal then return refusal end
return redis.call('XACK', KEYS[1], ARGV[1], unpack(ARGV, 3))`);

/** group, consumer: gives the lead up, if it is ours. */
export const resign = new Script(`
if redis.call('GET', KEYS[2]) == ARGV[2] then redis.call('DEL', KEYS[2]) end`);
