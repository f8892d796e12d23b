-- Takes calls that are not among the ended ones out of an index. KEYS: ended, the index. ARGV: calls' keys. Returns how many.
local n = 0
for _, id in ipairs(ARGV) do
  if not redis.call('ZSCORE', KEYS[1], id) then
    n = n + redis.call('ZREM', KEYS[2], id)
  end
end
return n
