-- Deletes an ended call. KEYS: call, received, live, ended, due, calls of the caller. ARGV: call's key, revision.
-- Returns 1, or 0 if it has changed since it was read.
if redis.call('HGET', KEYS[1], 'rev') ~= ARGV[2] then
  return 0
end
redis.call('DEL', KEYS[1])
for i = 2, 6 do
  redis.call('ZREM', KEYS[i], ARGV[1])
end
return 1
