-- Renews the lease of an instance. KEYS: instances. ARGV: instance, lease in microseconds.
redis.call('ZADD', KEYS[1], int(now() + tonumber(ARGV[2])), ARGV[1])
return 1
