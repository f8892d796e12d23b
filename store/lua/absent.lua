-- Ends the lease of a connection. KEYS: presence. ARGV: connection, channel, topics to wake if it was the last one.
prune(KEYS[1], now())
if redis.call('ZREM', KEYS[1], ARGV[1]) == 1 and redis.call('ZCARD', KEYS[1]) == 0 then
  publish(ARGV[2], {unpack(ARGV, 3)})
end
return 1
