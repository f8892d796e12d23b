-- Sets an agent away (1) or available (0) and clears missed offers. KEYS: agent. ARGV: away, reason, the router's
-- time, channel, topics.
local away = redis.call('HGET', KEYS[1], 'away')
redis.call('HSET', KEYS[1], 'away', ARGV[1], 'reason', ARGV[2])
redis.call('HDEL', KEYS[1], 'missed')
if away == '1' and ARGV[1] == '0' then
  redis.call('HSET', KEYS[1], 'idle_since', ARGV[3])
end
publish(ARGV[4], {unpack(ARGV, 5)})
return 1
