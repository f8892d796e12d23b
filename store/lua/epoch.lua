-- Begins a new epoch if the one that is stored is of another server: this one has been restarted, or is a replica that
-- may not have heard of everything. It is run on each new connection, before anything else.
-- KEYS: epoch. ARGV: the server's run_id, id for a new epoch, its gate in microseconds.
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then
  redis.call('HSET', KEYS[1], 'run', ARGV[1], 'id', ARGV[2], 'open_at', int(now() + tonumber(ARGV[3])))
end
return 1
