-- Writes a call's record with its slots and indexes, or nothing. See keysWrite in keys.go for KEYS.
-- ARGV: call's key, revision expected (0: none), new revision, record, plan (JSON of luaPlan), channel,
-- id for a new epoch, its gate in microseconds, what the clock should say (0: not known), and how far it may be from
-- that. Returns {'ok'}, {'conflict'}, {'exists', revision, record}, {'busy', agent} or {'gate'}.
local FIXED, PER_AGENT = 20, 3
local id, expected, doc, plan = ARGV[1], ARGV[2], ARGV[4], cjson.decode(ARGV[5])
local call, due, received, live, ended = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local t = now()

local rev, write = unpack(redis.call('HMGET', call, 'rev', 'write'))
if expected == '0' then
  if rev then
    return {'exists', rev, redis.call('HGET', call, 'doc')}
  end
elseif rev ~= expected then
  return {'conflict'}
elseif plan.write_before ~= '' and write and write ~= plan.write_before and string.match(write, '^%d+') == rev then
  return {'conflict'} -- a replica that lagged took over, and somebody else made this revision anew
else
  -- When Redis is out of memory, it lets a script continue that has already written. So write something that changes
  -- nothing, since the step may still be refused: then a call in progress is always stored, and only new calls are
  -- refused.
  redis.call('ZREM', KEYS[15], '')
end

-- Check all slots first, then take them.
local function mayHold(a, slots, presence, agent)
  if a.op ~= 'take' and a.op ~= 'keep' or a.kind == 'wrap_up' or a.sure then
    return true
  end
  prune(slots, t)
  local members = redis.call('ZRANGE', slots, 0, -1)
  for _, m in ipairs(members) do
    if string.sub(m, 1, #id + 1) == id .. ' ' then
      return true
    end
  end
  local state = redis.call('HMGET', agent, 'away', 'capacity', 'capacity_until')
  if a.kind == 'ringing' and (state[1] == '1' or redis.call('ZCOUNT', presence, '(' .. int(t), '+inf') == 0) then
    return false
  end
  local capacity = a.capacity
  if state[2] and (state[3] == '0' or tonumber(state[3]) > plan.wall) then
    capacity = tonumber(state[2])
  end
  return #members < capacity
end

local takes = false
for _, a in ipairs(plan.agents) do
  takes = takes or a.op == 'take'
end
if takes and not plan.force then
  -- If the clock was set, slots of calls in progress may have expired; the next beat notices and begins a new epoch.
  local jumped = ARGV[9] ~= '0' and math.abs(t - tonumber(ARGV[9])) > tonumber(ARGV[10])
  if epoch(KEYS[10], t, ARGV[7], ARGV[8]) > t or jumped then
    return {'gate'}
  end
  if plan.seen > 0 and tonumber(redis.call('HGET', KEYS[11], '#') or 0) + 1 ~= plan.seen then
    return {'busy', 'queue'}
  end
end

for i, a in ipairs(plan.agents) do
  local k = FIXED + (i - 1) * PER_AGENT
  if not plan.force and not mayHold(a, KEYS[k + 1], KEYS[k + 2], KEYS[k + 3]) then
    return {'busy', a.agent}
  end
end

for i, a in ipairs(plan.agents) do
  local k = FIXED + (i - 1) * PER_AGENT
  local slots, agent = KEYS[k + 1], KEYS[k + 3]
  if a.op ~= '' then
    redis.call('ZREM', slots, id .. ' ringing', id .. ' active', id .. ' wrap_up')
  end
  if (a.op == 'take' or a.op == 'keep') and a.left > 0 then
    redis.call('ZADD', slots, int(t + a.left), id .. ' ' .. a.kind)
  end
  if a.offered then
    redis.call('HSET', agent, 'offered_at', int(plan.now))
  end
  if a.idle then
    redis.call('HSET', agent, 'idle_since', int(plan.now))
  end
end

redis.call('HSET', call, 'rev', ARGV[3], 'doc', doc, 'write', plan.write, 'caller', plan.caller_key,
  'other', plan.other_key)
if plan.new then
  redis.call('ZADD', received, int(plan.received), id)
end
if plan.caller_before then
  redis.call('ZREM', KEYS[6], id)
end
if plan.caller then
  redis.call('ZADD', KEYS[7], int(plan.received), id)
end
if plan.other_before then
  redis.call('ZREM', KEYS[17], id)
  redis.call('ZREM', KEYS[18], id)
end
if plan.other then
  redis.call('ZADD', KEYS[19], int(plan.received), id)
  redis.call('ZADD', KEYS[20], int(plan.received), id)
end
if plan.live and not plan.was_live then
  redis.call('ZADD', live, int(plan.received), id)
elseif plan.was_live and not plan.live then
  redis.call('ZREM', live, id)
end
if plan.was_ended then
  redis.call('ZREM', ended, id)
  redis.call('ZREM', KEYS[12], id)
end
if not plan.live then
  redis.call('ZADD', ended, int(plan.ended), id)
  redis.call('ZADD', KEYS[13], int(plan.received), id)
end
if plan.owner_before then
  redis.call('ZREM', KEYS[14], id)
end
if not plan.new and KEYS[15] ~= due then -- a process of an older version writes all calls there
  redis.call('ZREM', KEYS[15], id)
end
if plan.owner then
  redis.call('SADD', KEYS[16], plan.owner)
end
if plan.due > 0 then
  redis.call('ZADD', due, int(plan.due), id)
elseif plan.due_before then
  redis.call('ZREM', due, id)
end
if plan.waited then
  redis.call('HDEL', KEYS[8], id)
end
if plan.waiter ~= '' then
  redis.call('HSET', KEYS[9], id, plan.waiter)
end
if plan.queue_changes then
  if plan.waited then
    redis.call('HINCRBY', KEYS[8], '#', 1)
  end
  if plan.waiter ~= '' then
    redis.call('HINCRBY', KEYS[9], '#', 1)
  end
end
publish(ARGV[6], plan.topics)
return {'ok'}
