-- Puts ended calls into the index of their outcome, and no other. KEYS: ended, then the indexes of all outcomes. ARGV: for
-- each call its key, the time it was received, and which of KEYS.
for i = 1, #ARGV, 3 do
  if redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    for k = 2, #KEYS do
      if k ~= tonumber(ARGV[i + 2]) then
        redis.call('ZREM', KEYS[k], ARGV[i])
      end
    end
    redis.call('ZADD', KEYS[tonumber(ARGV[i + 2])], ARGV[i + 1], ARGV[i])
  end
end
return 1
