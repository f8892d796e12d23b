-- Drops an instance from those that may have live calls, if it has none. KEYS: owners, its calls by due time. ARGV:
-- instance.
if redis.call('ZCARD', KEYS[2]) == 0 then
  redis.call('SREM', KEYS[1], ARGV[1])
end
return 1
