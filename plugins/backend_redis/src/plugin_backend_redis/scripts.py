"""What happens inside the server, one atomic step each. KEYS and ARGV are named below each script."""

from typing import Final

from plugin_common_redis import Script

STORE: Final = Script("""
local mode, found = ARGV[1], {}
local final = {SUCCESS = true, FAILURE = mode == 'if_not_final', REVOKED = mode == 'if_not_final'}
for i = 1, #KEYS do
  local ttl, payload, fate = ARGV[2 * i], ARGV[2 * i + 1], 1
  if mode ~= 'upsert' then
    local old = redis.call('GET', KEYS[i])
    if old then
      local status = string.match(old, '^{"status": ?"([^"\\\\]*)"')
      if mode == 'if_absent' or (status and final[status]) then fate = 0
      elseif not status then fate = 2 end
    end
  end
  if fate == 1 then
    if ttl == '' then redis.call('SET', KEYS[i], payload)
    else redis.call('SET', KEYS[i], payload, 'PX', ttl) end
    redis.call('PUBLISH', KEYS[i], payload)
  end
  found[i] = fate
end
return found
""")
"""KEYS: of the tasks. ARGV: mode, (time to live in ms or "", document) each. Returns 1 for what is stored, 0 for what
was kept, 2 when the state of what is there cannot be read here."""

REPLACE: Final = Script("""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('SET', KEYS[1], ARGV[3])
else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2]) end
redis.call('PUBLISH', KEYS[1], ARGV[3])
return 1
""")
"""KEYS: of the task. ARGV: what must be there, time to live in ms or "", document. Returns whether it was replaced."""

ADD: Final = Script("""
local added = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(added) == 'table' and added.err then return added end
if ARGV[2] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return redis.call('GET', KEYS[1])
""")
"""KEYS: of the counter. ARGV: what to add, time to live in ms or "". Returns its value as text, which is exact."""

EXPECT: Final = Script("""
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
if ARGV[2] == '' then return redis.call('SET', KEYS[1], ARGV[1], 'NX') end
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2])
""")
"""KEYS: .s, .c. ARGV: size, time to live in ms or ""."""

JOIN: Final = Script("""
local jkey, dkey, skey, tkey, ckey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local claim = redis.call('GET', ckey)
if claim == 'done' then return {0, 0, 0, 1} end
if ARGV[1] ~= '0' then redis.call('SET', skey, ARGV[1], 'NX') end
local announced = redis.call('GET', skey)
local size = announced and tonumber(announced) + tonumber(redis.call('GET', tkey) or 0) or 0
local count = redis.call('ZCARD', jkey)
if (count < size or not announced) and redis.call('SADD', dkey, ARGV[3]) == 1 then
  redis.call('ZADD', jkey, ARGV[5], ARGV[4])
  count = redis.call('ZCARD', jkey)
end
for i = 1, 4 do
  if ARGV[2] == '' then redis.call('PERSIST', KEYS[i]) else redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
end
if count < size or not announced or claim then return {count, size, 0, 0} end
redis.call('SET', ckey, ARGV[6], 'PX', ARGV[7])
return {count, size, 1, 0, redis.call('ZRANGE', jkey, 0, -1)}
""")
"""KEYS: .j, .d, .s, .t, .c. ARGV: size (0: whatever is in .s), time to live in ms or "", member of .d, member of .j,
its score, token of the claim, length of the claim in ms. Returns count, size, whether the caller won, whether it is
done, and for the winner everything in .j."""

JOINED: Final = Script("""
redis.call('SET', KEYS[5], 'done', 'PX', ARGV[1])
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
""")
"""KEYS: .j, .d, .s, .t, .c. ARGV: time to live in ms."""
