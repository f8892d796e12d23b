-- Deletes a switch or an entry. KEYS: switches or the list. ARGV: field, value it must have ('': any), channel, topics.
-- Returns how many were deleted.
if ARGV[2] ~= '' and redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then
  return 0
end
local n = redis.call('HDEL', KEYS[1], ARGV[1])
if n > 0 then
  publish(ARGV[3], {unpack(ARGV, 4)})
end
return n
