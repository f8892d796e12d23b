-- Counts a missed offer once, and sets the agent away at the limit (0: never). KEYS: agent. ARGV: limit, reason, offer,
-- how many offers to remember as counted, channel, topics to wake then. Returns how many were missed in a row.
local state = redis.call('HMGET', KEYS[1], 'missed', 'missed_offer', 'away')
local n, limit = tonumber(state[1] or 0), tonumber(ARGV[1])
local counted, is = {ARGV[3]}, false
for offer in string.gmatch(state[2] or '', '%S+') do
  is = is or offer == ARGV[3]
  if #counted < tonumber(ARGV[4]) then
    counted[#counted + 1] = offer
  end
end
if not is then
  n = n + 1
  redis.call('HSET', KEYS[1], 'missed', n, 'missed_offer', table.concat(counted, ' '))
end
if limit > 0 and n >= limit and state[3] ~= '1' then
  redis.call('HSET', KEYS[1], 'away', '1', 'reason', ARGV[2])
  publish(ARGV[5], {unpack(ARGV, 6)})
end
return n
