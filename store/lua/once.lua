-- Returns 1 to the first request within some time. KEYS: once. ARGV: id of this request, milliseconds, the router's time
-- in microseconds. A request that is repeated because its reply was lost gets the same reply. The key outlasts the time
-- by a day: the server's clock may be set meanwhile, and the router's time decides.
local value = ARGV[1] .. ' ' .. int(tonumber(ARGV[3]) + 1000 * tonumber(ARGV[2]))
local keep = int(tonumber(ARGV[2]) + 86400000)
if redis.call('SET', KEYS[1], value, 'NX', 'PX', keep) then
  return 1
end
local id, ends = string.match(redis.call('GET', KEYS[1]), '^(%S+) (%d+)$')
if id == ARGV[1] then
  return 1
end
if ends and tonumber(ends) <= tonumber(ARGV[3]) then
  redis.call('SET', KEYS[1], value, 'PX', keep)
  return 1
end
return 0
