-- Announces a write: the key is invalid from here on, and nobody stores under it until the write has ended.
-- KEYS d w   ARGV token at_most my_nonce dependency_life      Answers 1 no other write is under way | 0 another is
--
-- UNLINK comes first: a script that begins with a write that needs no memory may go on when Redis is full, and a writer
-- must be able to invalidate then.
-- Beyond the protocol's text: the token is removed before the others are counted, so a request that the network repeated
-- does not take itself for another writer; and a shorter write does not cut the life of a longer one's record.
redis.call('UNLINK', KEYS[1])
if ARGV[4] == '-1' then redis.call('SET', KEYS[1], ARGV[3]) else redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4]) end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZREM', KEYS[2], ARGV[1])
local alone = redis.call('ZCARD', KEYS[2]) == 0 and 1 or 0
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[2]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[2], ARGV[2]) end
return alone
