-- Returns the callers of calls, '' for those without. KEYS: calls. An older version did not write the field, so there the
-- record is read; a damaged one tells nothing.
local callers = {}
for i, key in ipairs(KEYS) do
  local caller = redis.call('HGET', key, 'caller')
  if not caller then
    local ok, call = pcall(cjson.decode, redis.call('HGET', key, 'doc') or '')
    caller = ok and type(call) == 'table' and type(call.caller_key) == 'string' and call.caller_key or ''
  end
  callers[i] = caller
end
return callers
