-- Deletes an ended call. KEYS: call, received, live, ended, due, calls of the caller. ARGV: call's key, and the time before
-- which it must have ended. Returns 1, or 0 if it has not.
local ended = redis.call('ZSCORE', KEYS[4], ARGV[1])
if not ended or tonumber(ended) >= tonumber(ARGV[2]) then
  return 0
end
redis.call('DEL', KEYS[1])
for i = 2, 6 do
  redis.call('ZREM', KEYS[i], ARGV[1])
end
return 1
