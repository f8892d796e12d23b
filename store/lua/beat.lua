-- Renews the lease of an instance. KEYS: instances, epoch, live calls, all calls. ARGV: instance, lease, id for a new
-- epoch, its gate, what the clock should say (0: not known), how far it may be from that; times in microseconds. Returns
-- the id of the epoch, the time, how far the server's clock is ahead of the router's time, and how often it was set. If
-- the clock does not say what it should, it renews nothing and returns '' as the id: then run jumped.lua.
local t = now()
if ARGV[5] ~= '0' and math.abs(t - tonumber(ARGV[5])) > tonumber(ARGV[6]) then
  return {'', int(t), '0', '0'}
end
redis.call('ZADD', KEYS[1], int(t + tonumber(ARGV[2])), ARGV[1])
local _, id = epoch(KEYS[2], t, ARGV[3], ARGV[4])

-- Returns how far the router's time may come nearer to the server's now, so that no window of time is off by much: 2 %
-- of the time since the last beat. A minute at most goes at once if no call lives, and all of it a day after the last.
local function slew(shift, last)
  local left = math.abs(shift)
  if redis.call('ZCARD', KEYS[3]) == 0 then
    local latest = redis.call('ZREVRANGE', KEYS[4], 0, 0, 'WITHSCORES')[2]
    if left <= 60000000 or not latest or t - shift - tonumber(latest) > 86400000000 then
      return left
    end
  end
  return math.min(left, math.floor(math.max(0, math.min(t - last, 10000000)) / 50))
end

local state = redis.call('HMGET', KEYS[2], 'shift', 'slewed', 'jumps')
local shift = tonumber(state[1] or 0)
if shift ~= 0 then
  local step = slew(shift, tonumber(state[2] or t))
  shift = shift - (shift > 0 and step or -step)
  redis.call('HSET', KEYS[2], 'shift', int(shift), 'slewed', int(t))
end
return {id, int(t), int(shift), state[3] or '0'}
