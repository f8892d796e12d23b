-- Lists the instances whose lease has not ended. KEYS: instances.
prune(KEYS[1], now())
return redis.call('ZRANGE', KEYS[1], 0, -1)
