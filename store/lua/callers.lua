-- Returns the caller's key and other key of calls, '' for those without. KEYS: calls. Older versions did not write the
-- fields, and no index of the other key. For the caller the record is read; a damaged one tells nothing.
local callers = {}
for i, key in ipairs(KEYS) do
  local fields = redis.call('HMGET', key, 'caller', 'other')
  local caller = fields[1]
  if not caller then
    local ok, call = pcall(cjson.decode, redis.call('HGET', key, 'doc') or '')
    caller = ok and type(call) == 'table' and type(call.caller_key) == 'string' and call.caller_key or ''
  end
  callers[i] = {caller, fields[2] or ''}
end
return callers
