-- Renews the lease of an instance. KEYS: instances, epoch. ARGV: instance, lease in microseconds, id for a new epoch, its
-- gate in microseconds. Answers the id of the epoch. A server without an epoch has lost everything, or is new.
local t = now()
redis.call('ZADD', KEYS[1], int(t + tonumber(ARGV[2])), ARGV[1])
if redis.call('HSETNX', KEYS[2], 'id', ARGV[3]) == 1 then
  redis.call('HSET', KEYS[2], 'open_at', int(t + tonumber(ARGV[4])))
end
return redis.call('HGET', KEYS[2], 'id')
