-- Returns 1 to the first request within some time. KEYS: once. ARGV: id of this request, milliseconds.
-- A request that is repeated because its reply was lost gets the same reply.
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return 1
end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
