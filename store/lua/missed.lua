-- Counts a missed offer once, and sets the agent away at the limit (0: never). KEYS: agent. ARGV: limit, reason, offer,
-- channel, topics to wake then. Returns how many were missed in a row.
local n, limit = tonumber(redis.call('HGET', KEYS[1], 'missed') or 0), tonumber(ARGV[1])
if redis.call('HGET', KEYS[1], 'missed_offer') ~= ARGV[3] then
  redis.call('HSET', KEYS[1], 'missed_offer', ARGV[3])
  n = redis.call('HINCRBY', KEYS[1], 'missed', 1)
end
if limit > 0 and n >= limit and redis.call('HGET', KEYS[1], 'away') ~= '1' then
  redis.call('HSET', KEYS[1], 'away', '1', 'reason', ARGV[2])
  publish(ARGV[4], {unpack(ARGV, 5)})
end
return n
