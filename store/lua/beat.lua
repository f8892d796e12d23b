-- Renews the lease of an instance. KEYS: instances, epoch, live calls. ARGV: instance, lease, id for a new epoch, its
-- gate, what the clock should say (0: not known), how far it may be from that; times in microseconds. Returns the id of
-- the epoch, the time, and how far the server's clock was set forward. If the clock does not say what it should, it
-- renews nothing and returns '' as the id: then run jumped.lua.
local t = now()
if ARGV[5] ~= '0' and math.abs(t - tonumber(ARGV[5])) > tonumber(ARGV[6]) then
  return {'', int(t), '0'}
end
redis.call('ZADD', KEYS[1], int(t + tonumber(ARGV[2])), ARGV[1])
local _, id = epoch(KEYS[2], t, ARGV[3], ARGV[4])
local shift = redis.call('HGET', KEYS[2], 'shift') or '0'
if shift ~= '0' and redis.call('ZCARD', KEYS[3]) == 0 then -- no call depends on it: use the server's time from now on
  redis.call('HDEL', KEYS[2], 'shift')
  shift = '0'
end
return {id, int(t), shift}
