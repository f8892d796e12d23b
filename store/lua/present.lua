-- Renews the lease of a connection. KEYS: presence, agent. ARGV: connection, lease in microseconds, the router's time,
-- channel, topics to wake if the agent had no connection.
local t = now()
prune(KEYS[1], t)
local first = redis.call('ZCARD', KEYS[1]) == 0
redis.call('ZADD', KEYS[1], int(t + tonumber(ARGV[2])), ARGV[1])
if first then
  if redis.call('HGET', KEYS[2], 'away') ~= '1' then
    redis.call('HSET', KEYS[2], 'idle_since', ARGV[3])
  end
  publish(ARGV[4], {unpack(ARGV, 5)})
end
return 1
