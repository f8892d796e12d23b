-- Deletes ended calls. KEYS: ended, INDEXES more indexes, then each call and the calls of its caller: by key, by the other
-- key, and by both; the first again if there is no other. ARGV: the time before which a call must have ended, INDEXES,
-- then the calls' keys. Returns how many it deleted.
local indexes, ids = tonumber(ARGV[2]), {}
for i = 3, #ARGV do
  local score = redis.call('ZSCORE', KEYS[1], ARGV[i])
  if score and tonumber(score) < tonumber(ARGV[1]) then
    local k = 1 + indexes + 4 * (i - 3)
    redis.call('DEL', KEYS[k + 1])
    redis.call('ZREM', KEYS[k + 2], ARGV[i])
    if KEYS[k + 3] ~= KEYS[k + 2] then
      redis.call('ZREM', KEYS[k + 3], ARGV[i])
      redis.call('ZREM', KEYS[k + 4], ARGV[i])
    end
    ids[#ids + 1] = ARGV[i]
  end
end
if #ids > 0 then
  for i = 1, 1 + indexes do
    redis.call('ZREM', KEYS[i], unpack(ids))
  end
end
return #ids
