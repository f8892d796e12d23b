-- Lists the instances whose lease has not ended. KEYS: instances, epoch. ARGV: what the clock should say (0: not known),
-- how far it may be from that, jumps that this instance knows of. If the clock was set and nobody has recorded that, it
-- judges leases as if it had not been.
local t, should = now(), tonumber(ARGV[1])
if should ~= 0 and math.abs(t - should) > tonumber(ARGV[2]) and
  (redis.call('HGET', KEYS[2], 'jumps') or '0') == ARGV[3] then
  t = should
else
  prune(KEYS[1], t)
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. int(t), '+inf')
