-- Renews the leases of the slots in a call's record. KEYS: call, slots of each agent. ARGV: call's key, revision, and
-- for each agent the kind and what is left of the lease in microseconds. Returns 1, or 0 if the record has changed.
if redis.call('HGET', KEYS[1], 'rev') ~= ARGV[2] then
  return 0
end
local t = now()
for i = 2, #KEYS do
  local kind, left = ARGV[i * 2 - 1], tonumber(ARGV[i * 2])
  if left > 0 then
    redis.call('ZADD', KEYS[i], int(t + left), ARGV[1] .. ' ' .. kind)
  end
end
return 1
