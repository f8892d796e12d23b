-- Reads records. KEYS: calls. Answers {revision, record} for each, both empty for one that is not there.
local calls = {}
for i, key in ipairs(KEYS) do
  calls[i] = redis.call('HMGET', key, 'rev', 'doc')
end
return calls
