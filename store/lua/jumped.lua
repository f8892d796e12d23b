-- Begins a new epoch, since the server's clock was set, so that leases may have ended before their time. Does nothing if
-- that is known by now. KEYS: epoch. ARGV: id of the epoch in which it was seen, id for the new one, its gate in
-- microseconds.
if redis.call('HGET', KEYS[1], 'id') == ARGV[1] then
  begin(KEYS[1], now(), redis.call('HGET', KEYS[1], 'run'), ARGV[2], ARGV[3])
end
return 1
