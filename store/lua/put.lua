-- Sets a switch or an entry. KEYS: switches or the list, names of lists. ARGV: field, value, name of the list ('' for a
-- switch), channel, topics.
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] ~= '' then
  redis.call('SADD', KEYS[2], ARGV[3])
end
publish(ARGV[4], {unpack(ARGV, 5)})
return 1
