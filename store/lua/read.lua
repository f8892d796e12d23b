-- Reads records. KEYS: an index, then calls. ARGV: '1' if only calls in the index are wanted, then the calls' keys.
-- Returns {revision, record} for each call, both empty if there is none, or it is not wanted.
local calls = {}
for i = 2, #KEYS do
  if ARGV[1] == '1' and not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    calls[i - 1] = {false, false}
  else
    calls[i - 1] = redis.call('HMGET', KEYS[i], 'rev', 'doc')
  end
end
return calls
