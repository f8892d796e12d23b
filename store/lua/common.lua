-- This precedes every script. Times are microseconds of the server's clock, which a double holds exactly.

local function now()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end

-- A number as text for Redis: Lua itself would round it to 14 digits.
local function int(n)
  return string.format('%.0f', n)
end

-- Removes leases that have ended.
local function prune(key, t)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', int(t))
end

-- The epoch is a hash: id; run, the run_id of its server; open_at, before which no slot is taken; shift, how far the
-- server's clock is ahead of the router's time because it was set; slewed, when shift last became less; jumps,
-- how often the clock was set.

-- Begins a new epoch, with an id and a gate in microseconds.
local function begin(key, t, run, id, gate)
  redis.call('HSET', key, 'run', run, 'id', id, 'open_at', int(t + tonumber(gate)))
end

-- Returns open_at and the id. A new epoch begins if there is none, or if it is another server's: then this server is
-- new, was emptied or restarted, or is a replica that took over and may lack the latest writes. The check must be in
-- the script: a separate request might reach one server, and the step the next.
local function epoch(key, t, id, gate)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
  local state = redis.call('HMGET', key, 'run', 'open_at', 'id')
  if state[1] ~= run then
    begin(key, t, run, id, gate)
    return t + tonumber(gate), id
  end
  return tonumber(state[2]), state[3]
end

local function publish(channel, topics)
  for _, topic in ipairs(topics) do
    redis.call('PUBLISH', channel, topic)
  end
end
