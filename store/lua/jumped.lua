-- Records that the server's clock was set, so that the routers' time goes on evenly, and begins a new epoch, since
-- leases may have ended early. It sets the leases of instances with the clock, so that none counts as gone, or as alive
-- for longer than a lease. Does nothing if that is already recorded, or if another instance has just renewed its lease by
-- the clock as it is: then this instance's machine slept. KEYS: epoch, instances. ARGV: jumps that this instance knows
-- of, how far the clock was set, instance, lease, id for the new epoch, its gate; times in microseconds. Returns 1 if it
-- recorded the jump.
local t, lease = now(), tonumber(ARGV[4])
local state = redis.call('HMGET', KEYS[1], 'jumps', 'shift', 'run')
if (state[1] or '0') ~= ARGV[1] then
  return 0
end
local others = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #others, 2 do
  local ago = t + lease - tonumber(others[i + 1])
  if others[i] ~= ARGV[3] and ago > -500000 and ago < 2500000 then
    return 0
  end
end
for i = 1, #others, 2 do
  local ends = tonumber(others[i + 1]) + tonumber(ARGV[2])
  if ends > t then
    redis.call('ZADD', KEYS[2], int(ends), others[i])
  else
    redis.call('ZREM', KEYS[2], others[i])
  end
end
redis.call('HSET', KEYS[1], 'shift', int(tonumber(state[2] or 0) + tonumber(ARGV[2])), 'slewed', int(t))
redis.call('HINCRBY', KEYS[1], 'jumps', 1)
begin(KEYS[1], t, state[3] or '', ARGV[5], ARGV[6])
return 1
