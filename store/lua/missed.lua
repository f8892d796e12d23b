-- Counts a missed offer, and sets the agent away at the limit (0: never). KEYS: agent. ARGV: limit, reason, channel,
-- topics to wake then. Answers how many were missed in a row.
local n, limit = redis.call('HINCRBY', KEYS[1], 'missed', 1), tonumber(ARGV[1])
if limit > 0 and n >= limit and redis.call('HGET', KEYS[1], 'away') ~= '1' then
  redis.call('HSET', KEYS[1], 'away', '1', 'reason', ARGV[2])
  publish(ARGV[3], {unpack(ARGV, 4)})
end
return n
