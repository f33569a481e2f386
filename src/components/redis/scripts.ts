import { FENCE, LIBRARY, PRESENCE, Script } from "./script.ts";

/**
 * group, start[, consumer, lease] → the id up to which the group has read. Creates stream and group when they are not there, and makes the
 * consumer known, unless the group has a leader.
 */
export const join = new Script(`${LIBRARY}${PRESENCE}
local function known() return redis.call('EXISTS', KEYS[1]) == 1 and groupOf(KEYS[1], ARGV[1]) end
local group = known()
if not group then
  redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[2], 'MKSTREAM')
  group = known()
end
if ARGV[3] then
  local led = refuseIfLed(ARGV[4])
  if led then return led end
  alive(ARGV[3])
end
return field(group, 'last-delivered-id')`);

/** group, consumer, lease: a sign of life. It fails when the group has a leader. */
export const signOfLife = new Script(`${LIBRARY}${PRESENCE}
local led = refuseIfLed(ARGV[3])
if led then return led end
alive(ARGV[2])`);

/** group → the id up to which the group has read, and the lowest that stands pending, nil if none does. */
export const standing = new Script(`${LIBRARY}
local group = redis.call('EXISTS', KEYS[1]) == 1 and groupOf(KEYS[1], ARGV[1])
if not group then return redis.error_reply('NOGROUP there is no group ' .. ARGV[1]) end
return {field(group, 'last-delivered-id'), redis.call('XPENDING', KEYS[1], ARGV[1])[2]}`);

/**
 * group, floor → the id from which the group reads on. For a group that vanished under its reader: it goes on after `floor`, unless
 * the stream is younger than that (emptied, or an old copy): then whatever it holds was never read.
 */
export const rejoin = new Script(`${LIBRARY}
local start = ARGV[2]
if redis.call('EXISTS', KEYS[1]) == 0 then
  start = '0-0'
elseif less(field(redis.call('XINFO', 'STREAM', KEYS[1]), 'last-generated-id'), start) then
  start = '0-0'
end
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], start, 'MKSTREAM')
if made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then return made end
return field(groupOf(KEYS[1], ARGV[1]), 'last-delivered-id')`);

/** Of the ids in ARGV[from…], those that still stand with the consumer, as a set. A plain XCLAIM would take them from their new owner. */
const OWNED = `
local function owned(from, step)
  local low, high = ARGV[from], ARGV[from]
  for i = from, #ARGV, step do
    if less(ARGV[i], low) then low = ARGV[i] end
    if less(high, ARGV[i]) then high = ARGV[i] end
  end
  local set = {}
  for _, row in ipairs(redis.call('XPENDING', KEYS[1], ARGV[1], low, high, 1000000, ARGV[2])) do set[row[1]] = true end
  return set
end
`;

/** group, consumer, id… → the ids that are no longer ours. Renews the leases of the others. */
export const renew = new Script(`${LIBRARY}${FENCE}${OWNED}
local refusal = fenced(KEYS[2])
if refusal then return refusal end
local ours, claim, gone = owned(3, 1), {'XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0}, {}
for i = 3, #ARGV do
  if ours[ARGV[i]] then claim[#claim + 1] = ARGV[i] else gone[#gone + 1] = ARGV[i] end
end
if #claim > 5 then
  claim[#claim + 1] = 'JUSTID'
  redis.call(unpack(claim))
end
return gone`);

/** group, consumer, idle, (id, count)… → the ids that are no longer ours. Sets how long the others have lain and their count. */
export const mark = new Script(`${LIBRARY}${FENCE}${OWNED}
local refusal = fenced(KEYS[2])
if refusal then return refusal end
local ours, gone = owned(4, 2), {}
for i = 4, #ARGV, 2 do
  if ours[ARGV[i]] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'RETRYCOUNT', ARGV[i + 1], 'JUSTID')
  else
    gone[#gone + 1] = ARGV[i]
  end
end
return gone`);

/** group, consumer, id… → the ids that are no longer ours. Acknowledges the others. */
export const ackOwned = new Script(`${LIBRARY}${FENCE}${OWNED}
local refusal = fenced(KEYS[2])
if refusal then return refusal end
local ours, gone = owned(3, 1), {}
for i = 3, #ARGV do
  if ours[ARGV[i]] then redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) else gone[#gone + 1] = ARGV[i] end
end
return gone`);

/** group, id… Acknowledges those whose entry was deleted: before Redis 7 they stay pending for ever. */
export const forget = new Script(`
for i = 2, #ARGV do
  if #redis.call('XRANGE', KEYS[1], ARGV[i], ARGV[i]) == 0 then redis.call('XACK', KEYS[1], ARGV[1], ARGV[i]) end
end`);

/** group, consumer: deletes the consumer if nothing is pending with it. XGROUP DELCONSUMER alone would destroy what is. */
export const leave = new Script(`${LIBRARY}
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  if field(row, 'name') == ARGV[2] and field(row, 'pending') == 0 then
    return redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
  end
end`);

/** group, consumer, prefix, idle: deletes other consumers of that prefix that have nothing pending and lay idle so long. */
export const bury = new Script(`${LIBRARY}
local buried = 0
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local name = field(row, 'name')
  if name ~= ARGV[2] and string.sub(name, 1, #ARGV[3]) == ARGV[3]
      and field(row, 'pending') == 0 and field(row, 'idle') >= tonumber(ARGV[4]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], name)
    buried = buried + 1
  end
end
return buried`);

/**
 * retainMs, group… → how many entries were removed: those that every group has acknowledged and that are older than retainMs. One step, because
 * a read between looking at the groups and looking at what is pending would move the floor past an unacknowledged entry. The bulk goes
 * by whole nodes, a bounded number at a time. Nothing is removed while one of the named groups is gone: it will be made again, for what it
 * has not acknowledged.
 */
export const trim = new Script(`${LIBRARY}
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local floor
local missing = {}
for i = 2, #ARGV do missing[ARGV[i]] = true end
for _, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  missing[field(row, 'name')] = nil
  local ms, seq = string.match(field(row, 'last-delivered-id'), '^(%d+)-(%d+)$')
  local low = #seq < 16 and ms .. '-' .. string.format('%.0f', tonumber(seq) + 1) or ms .. '-' .. seq
  if field(row, 'pending') > 0 then
    local oldest = redis.call('XPENDING', KEYS[1], field(row, 'name'))[2]
    if less(oldest, low) then low = oldest end
  end
  if not floor or less(low, floor) then floor = low end
end
if not floor or next(missing) then return 0 end
if tonumber(ARGV[1]) > 0 then
  local now = redis.call('TIME')
  local young = string.format('%.0f', math.max(0, tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000) - tonumber(ARGV[1]))) .. '-0'
  if less(young, floor) then floor = young end
end
local removed = redis.call('XTRIM', KEYS[1], 'MINID', '~', floor, 'LIMIT', 10000)
if removed < 9000 then removed = removed + redis.call('XTRIM', KEYS[1], 'MINID', floor) end
return removed`);

/**
 * group → messages not acknowledged (-1: the server cannot tell without reading them all) and the age of the oldest in milliseconds
 * (-1: there is none).
 */
export const backlog = new Script(`${LIBRARY}
local row = groupOf(KEYS[1], ARGV[1])
if not row then return redis.error_reply('NOGROUP no such group') end
local last, pending, lag = field(row, 'last-delivered-id'), field(row, 'pending'), field(row, 'lag')
local unread = redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', 1)[1]
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
if not unread then
  lag = 0
elseif not lag and unread[1] == first[1] then
  lag = redis.call('XLEN', KEYS[1])
end
local oldest = unread and unread[1]
if pending > 0 then
  local low = redis.call('XPENDING', KEYS[1], ARGV[1])[2]
  if not oldest or less(low, oldest) then oldest = low end
end
local age = -1
if oldest then
  local now = redis.call('TIME')
  age = math.max(0, tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000) - tonumber(string.match(oldest, '^%d+')))
end
return {lag and lag + pending or -1, age}`);
