-- Put before every script. Times are microseconds of the server's clock, which a double holds exactly.

local function now()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- A number as Redis takes it: Lua itself would round it to 14 digits.
local function int(n)
  return string.format('%.0f', n)
end

-- Drops leases that have ended.
local function prune(key, t)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', int(t))
end

-- The epoch, a hash: its id, the run_id of the server that has it, open_at, until when no slot is taken, and shift, by how
-- much the server's clock was set forward.

-- Begins a new one, with an id and a gate of so many microseconds.
local function begin(key, t, run, id, gate)
  redis.call('HSET', key, 'run', run, 'id', id, 'open_at', int(t + tonumber(gate)))
end

-- Answers open_at and the id. If there is no epoch, or the server is another one, a new one begins: this server is new,
-- was emptied or restarted, or is a replica that took over and may not have heard of everything. Only a script can look:
-- what is asked before it could be answered by one server, and the step be taken by the next.
local function epoch(key, t, id, gate)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
  if redis.call('HGET', key, 'run') ~= run then
    begin(key, t, run, id, gate)
  end
  return tonumber(redis.call('HGET', key, 'open_at')), redis.call('HGET', key, 'id')
end

local function publish(channel, topics)
  for _, topic in ipairs(topics) do
    redis.call('PUBLISH', channel, topic)
  end
end
