-- Sets an agent's capacity by hand, or clears it (''). KEYS: agent. ARGV: capacity, until, channel, topics.
if ARGV[1] == '' then
  redis.call('HDEL', KEYS[1], 'capacity', 'capacity_until')
else
  redis.call('HSET', KEYS[1], 'capacity', ARGV[1], 'capacity_until', ARGV[2])
end
publish(ARGV[3], {unpack(ARGV, 4)})
return 1
