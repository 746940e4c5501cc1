"""What happens inside the server, one atomic step each. KEYS and ARGV are named where a script is called.

Nothing is taken out before it stands where it goes: an error in the middle of a script, such as a key of a wrong type,
stops it and undoes nothing. Times come from the server's own clock.

A delivery is an entry in ``unacked`` and ``unacked_index`` whose score is the end of its lease less the visibility
timeout, so that a Celery worker of the same settings restores it at that moment, too; a message with a delay is such an
entry that nobody holds.
"""

from typing import Final

from plugin_common_redis import Script

_DIRTY: Final = "redis.call('ZREM', KEYS[{}], '')\n"
"""A write that does nothing and needs no memory. After the first write of a script the server refuses none, so that
what empties lists goes on when its memory is full."""
_NOW: Final = "local time = redis.call('TIME')\nlocal now = time[1] + time[2] / 1000000\n"

PUBLISH: Final = Script(
    _NOW
    + """
local count, at, stale = tonumber(ARGV[3]), 4, false
local specs, known, fates = {}, {}, {}
for i = 1, count do
  specs[i] = redis.call('HGET', KEYS[1], ARGV[at])
  known[i] = specs[i] == ARGV[at + 1]
  stale = stale or not known[i]
  at = at + 2
end
for i = at, #ARGV, 6 do
  local queue, verb, target, payload = tonumber(ARGV[i]), ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local number, mark = ARGV[i + 4], ARGV[i + 5]
  if queue > 0 and not known[queue] then
    fates[#fates + 1] = 0
  else
    fates[#fates + 1] = 1
    if mark ~= '' and redis.call('EXISTS', KEYS[tonumber(mark)]) == 1 then
      verb, mark = '', ''
    end
    if verb == 'L' then
      redis.call('LPUSH', KEYS[tonumber(target)], payload)
      if number ~= '' then redis.call('PEXPIRE', KEYS[tonumber(target)], number) end
    elseif verb == 'D' then
      redis.call('HSET', KEYS[2], target, payload)
      redis.call('ZADD', KEYS[3], now + number - ARGV[1], target)
    elseif verb == 'P' then
      redis.call('PUBLISH', target, payload)
    end
    if mark ~= '' then redis.call('SET', KEYS[tonumber(mark)], '1', 'PX', ARGV[2]) end
  end
end
if stale then return {specs, fates} end
return 1
"""
)
"""KEYS: registry, unacked, unacked_index, then lists and deduplication marks. ARGV: visibility timeout, deduplication
window in ms, number of queues, (name, its properties as the caller knows them) each, then six for each message: number
of its queue or 0, verb, target, payload, number, mark. L pushes to KEYS[target], which then lives ``number`` ms; D
keeps the payload under tag ``target`` for ``number`` seconds; P publishes to a channel. What is there is marked after
it, so that an error before leaves no mark of a message that nobody has. Returns 1, or the queues'
properties and whether each message was taken."""

RESERVE: Final = Script(
    _NOW
    + _DIRTY.format(3)
    + """
local room, vt, count, at = tonumber(ARGV[1]), tonumber(ARGV[3]), tonumber(ARGV[4]), 5
local names, leases, endings = {}, {}, {}
for i = 1, count do
  names[i], leases[i], endings[i] = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  at = at + 3
end
local specs = redis.call('HMGET', KEYS[1], unpack(names))
for i = 1, count do
  if not specs[i] then return {i} end
end
local found, taken = {0, -1}, 0
for i = 4, #KEYS do
  if taken >= room then break end
  local queue = tonumber(ARGV[at + i - 4])
  local there = redis.call('LRANGE', KEYS[i], taken - room, -1)
  local count = #there
  if count > 0 then
    local got, kept, scored = {}, {}, {}
    for j = 1, count do
      taken = taken + 1
      got[j] = there[count + 1 - j]
      local tag = ARGV[2] .. string.format('%05d', taken) .. '\\6\\22' .. names[queue]
      kept[2 * j - 1], kept[2 * j] = tag, '[' .. got[j] .. endings[queue]
      scored[2 * j - 1], scored[2 * j] = now + leases[queue] - vt, tag
    end
    redis.call('HSET', KEYS[2], unpack(kept))
    redis.call('ZADD', KEYS[3], unpack(scored))
    redis.call('LTRIM', KEYS[i], 0, -count - 1)
    found[#found + 1], found[#found + 2] = queue, got
  end
end
local first = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
if first[2] then found[2] = math.max(0, math.ceil((first[2] + vt - now) * 1000)) end
return found
"""
)
"""KEYS: registry, unacked, unacked_index, then lists, the most urgent first. ARGV: room (at most 1000), stem of tags,
visibility timeout, number of queues, (name, lease, ending of the kept value) each, then for each list the number of its
queue. Returns the number of a queue that does not exist; or 0, milliseconds until a lease or delay ends (-1: none),
and for each list that had some the number of its queue and the texts."""

DUE: Final = Script(
    _NOW
    + """
local tags = redis.call('ZRANGE', KEYS[2], '-inf', now - ARGV[1], 'BYSCORE', 'LIMIT', 0, ARGV[2])
if #tags == 0 then return {{}, {}} end
return {tags, redis.call('HMGET', KEYS[1], unpack(tags))}
"""
)
"""KEYS: unacked, unacked_index. ARGV: visibility timeout, how many. Returns tags whose lease or delay is over, the
oldest first, and what they stand for."""

SETTLE: Final = Script(
    _NOW
    + _DIRTY.format(2)
    + """
local vt, found = tonumber(ARGV[1]), {}
local function drop(tag)
  redis.call('HDEL', KEYS[1], tag)
  redis.call('ZREM', KEYS[2], tag)
end
for i = 2, #ARGV, 5 do
  local verb, tag, a, b, payload = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local held = redis.call('HEXISTS', KEYS[1], tag)
  if verb == 'A' then
    if held == 1 then drop(tag) end
  elseif verb == 'M' or verb == 'T' then
    local score = verb == 'T' and redis.call('ZSCORE', KEYS[2], tag)
    if verb == 'T' and not (score and tonumber(score) <= now - vt) then held = 0 end
    if held == 1 then
      redis.call(a, KEYS[tonumber(b)], payload)
      drop(tag)
    end
  elseif verb == 'N' then
    held = found[#found]
    if held == 1 then redis.call(a, KEYS[tonumber(b)], payload) end
  elseif verb == 'D' then
    if held == 1 then
      redis.call('HSET', KEYS[1], a, payload)
      redis.call('ZADD', KEYS[2], now + b - vt, a)
      drop(tag)
    end
  elseif verb == 'E' then
    if held == 1 then redis.call('ZADD', KEYS[2], now + a - vt, tag) end
  elseif verb == 'W' then
    if held == 1 then redis.call('HSET', KEYS[1], tag, payload) end
  elseif verb == 'X' and held == 0 then
    held = redis.call('ZREM', KEYS[2], tag)
  end
  found[#found + 1] = held
end
return found
"""
)
"""KEYS: unacked, unacked_index, then lists. ARGV: visibility timeout, then five for each entry: verb, tag, two
arguments, payload. A acknowledges; M moves the payload by command a into KEYS[b]; T does so if its time is over; N
moves one copy more if the row before did; D keeps the payload under tag a for b seconds; E extends by a seconds; W
rewrites; X removes an index without an entry. Returns 1 for each that was still held."""

ACK: Final = Script("""
local found = {}
for i = 1, #ARGV do found[i] = redis.call('HDEL', KEYS[1], ARGV[i]) end
redis.call('ZREM', KEYS[2], unpack(ARGV))
return found
""")
"""KEYS: unacked, unacked_index. ARGV: tags, at most 1000. Acknowledges; returns 1 for each that was still held."""

REGISTER: Final = Script("""
local have = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if have ~= ARGV[2] then return have end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
""")
"""KEYS: registry. ARGV: queue, its properties as the caller knows them ("" for none), new ones. Returns 1, or the
properties it has."""

KEEP: Final = Script(
    _NOW
    + """
for i = 1, #ARGV, 2 do redis.call('ZADD', KEYS[1], now + ARGV[i + 1], ARGV[i]) end
return redis.call('ZRANGE', KEYS[1], '-inf', now, 'BYSCORE', 'LIMIT', 0, 100)
"""
)
"""KEYS: expiring. ARGV: (queue, seconds) each. Keeps those so long; returns queues whose time is over."""

DELETE: Final = Script(
    _NOW
    + """
if ARGV[3] == '1' then
  local ends = redis.call('ZSCORE', KEYS[4], ARGV[1])
  if not ends or tonumber(ends) > now then return 0 end
end
for _, tag in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  if string.sub(tag, 1, 7) == 'kernel\\6' and string.sub(tag, -#ARGV[2]) == ARGV[2] then
    redis.call('HDEL', KEYS[2], tag)
    redis.call('ZREM', KEYS[3], tag)
  end
end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[4], ARGV[1])
redis.call('DEL', unpack(KEYS, 5))
return 1
"""
)
"""KEYS: registry, unacked, unacked_index, expiring, then what is to go. ARGV: queue, ending of its tags, 1 to do so
only when its time is over. Returns whether it is gone."""

DEPTH: Final = Script("""
local ready = 0
for i = 3, #KEYS do ready = ready + redis.call('LLEN', KEYS[i]) end
if not redis.call('HGET', KEYS[1], ARGV[1]) then return {-1, 0, 0} end
if redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[3]) then return {ready, -1, -1} end
local out, delayed, foreign = 0, 0, false
for _, tag in ipairs(redis.call('ZRANGE', KEYS[2], 0, -1)) do
  if string.sub(tag, 1, 7) ~= 'kernel\\6' then
    foreign = true
  elseif string.sub(tag, -#ARGV[2]) == ARGV[2] then
    if string.sub(tag, 9, 9) == 'd' then delayed = delayed + 1 else out = out + 1 end
  end
end
if foreign then out = -1 end
return {ready, out, delayed}
""")
"""KEYS: registry, unacked_index, then lists. ARGV: queue, ending of its tags, most entries to count. Returns messages
that are ready (-1: no such queue), in flight (-1: unknown), delayed (-1: unknown)."""

PURGE: Final = Script("""
if not redis.call('HGET', KEYS[1], ARGV[1]) then return -1 end
local count = 0
for i = 2, #KEYS do
  count = count + redis.call('LLEN', KEYS[i])
  redis.call('DEL', KEYS[i])
end
return count
""")
"""KEYS: registry, then lists. ARGV: queue. Returns how many are gone; -1: no such queue."""
