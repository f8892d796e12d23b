-- Returns 1 if the indexes of outcomes have all ended calls. KEYS: ended, then these indexes. Each ended call is in one.
local n = redis.call('ZCARD', KEYS[1])
for i = 2, #KEYS do
  n = n - redis.call('ZCARD', KEYS[i])
end
return n == 0 and 1 or 0
