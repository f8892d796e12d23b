-- Reads what the engine asks for, at one instant. KEYS: for each agent slots, presence, state; queues; lists; calls of
-- the caller, by key, by the other key, which may be '', and by both. ARGV: number of agents, of queues, of lists; key of the
-- caller, other key; call to leave out; when each window of calls begins, by the router's time in microseconds.
-- Returns {now, agents, queues, lists, counts}.
local agents, queues, lists = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = now()
local after = '(' .. int(t)
local out = {t, {}, {}, {}, {}}
for i = 1, agents do
  local k = (i - 1) * 3
  out[2][i] = {
    redis.call('HMGET', KEYS[k + 3],
      'away', 'reason', 'missed', 'capacity', 'capacity_until', 'offered_at', 'idle_since'),
    redis.call('ZCOUNT', KEYS[k + 2], after, '+inf'),
    redis.call('ZRANGEBYSCORE', KEYS[k + 1], after, '+inf', 'WITHSCORES'),
  }
end
for i = 1, queues do
  out[3][i] = redis.call('HGETALL', KEYS[agents * 3 + i])
end
for i = 1, lists do
  out[4][i] = redis.call('HMGET', KEYS[agents * 3 + queues + i], ARGV[4], ARGV[5])
end
if ARGV[4] ~= '' then
  local k = agents * 3 + queues + lists
  local caller, other, both = KEYS[k + 1], ARGV[5] ~= '' and KEYS[k + 2], KEYS[k + 3]
  local left_out = redis.call('ZSCORE', caller, ARGV[6]) or other and redis.call('ZSCORE', other, ARGV[6])
  for i = 7, #ARGV do
    local n = redis.call('ZCOUNT', caller, ARGV[i], '+inf')
    if other then
      n = n + redis.call('ZCOUNT', other, ARGV[i], '+inf') - redis.call('ZCOUNT', both, ARGV[i], '+inf')
    end
    if left_out and tonumber(left_out) >= tonumber(ARGV[i]) then
      n = n - 1
    end
    out[5][i - 6] = n
  end
end
return out
