-- Invalidates every key that matches a glob: one record in the pattern log.
-- KEYS pattern_log   ARGV nonce glob keep
--
-- LTRIM comes first: it needs no memory, and after it the script may append even when Redis is full. A record that is
-- trimmed away makes the entries older than it misses, never stale.
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[3]) + 1, -1)
return redis.call('RPUSH', KEYS[1], ARGV[1] .. ARGV[2])
