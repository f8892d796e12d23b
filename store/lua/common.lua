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

local function publish(channel, topics)
  for _, topic in ipairs(topics) do
    redis.call('PUBLISH', channel, topic)
  end
end
