-- Records that the server's clock was set, so that the routers' time goes on evenly, and begins a new epoch, since
-- leases may have ended early. Does nothing if that is already recorded, or if another instance has just renewed its
-- lease by the clock as it is: then this instance's machine slept. KEYS: epoch, instances. ARGV: shift that this
-- instance knows, how far the clock was set, instance, lease, id for the new epoch, its gate; times in microseconds.
-- Returns 1 if it recorded the jump.
local t, lease = now(), tonumber(ARGV[4])
if tonumber(redis.call('HGET', KEYS[1], 'shift') or 0) ~= tonumber(ARGV[1]) then
  return 0
end
local others = redis.call('ZRANGE', KEYS[2], 0, -1, 'WITHSCORES')
for i = 1, #others, 2 do
  local ago = t + lease - tonumber(others[i + 1])
  if others[i] ~= ARGV[3] and ago > -500000 and ago < 2500000 then
    return 0
  end
end
redis.call('HSET', KEYS[1], 'shift', int(tonumber(ARGV[1]) + tonumber(ARGV[2])))
begin(KEYS[1], t, redis.call('HGET', KEYS[1], 'run') or '', ARGV[5], ARGV[6])
return 1
