-- Renews the lease of an instance. KEYS: instances, epoch. ARGV: instance, lease in microseconds, id for a new epoch, its
-- gate in microseconds. Answers the id of the epoch, and the time.
local t = now()
redis.call('ZADD', KEYS[1], int(t + tonumber(ARGV[2])), ARGV[1])
local _, id = epoch(KEYS[2], t, ARGV[3], ARGV[4])
return {id, int(t)}
