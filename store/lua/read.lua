-- Reads records. KEYS: calls. Returns {revision, record} for each, both empty if there is none.
local calls = {}
for i, key in ipairs(KEYS) do
  calls[i] = redis.call('HMGET', key, 'rev', 'doc')
end
return calls
