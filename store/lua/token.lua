-- Replaces the hash of an agent's token. KEYS: agent, tokens. ARGV: agent, hash, channel, topics.
local before = redis.call('HGET', KEYS[1], 'token')
if before then
  redis.call('HDEL', KEYS[2], before)
end
redis.call('HSET', KEYS[1], 'token', ARGV[2])
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
publish(ARGV[3], {unpack(ARGV, 4)})
return 1
