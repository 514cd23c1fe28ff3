-- Announces a change of tags: they are invalid from here on, and nobody stores what bears one until the change has ended.
-- KEYS tag_log changing (tag changers)...   ARGV token at_most keep (nonce tag_name)...
--
-- Who changes a tag is in a set of its own, by when it ends; which tags are being changed in one of the namespace, each by the
-- last of these ends, for CAPTURE to look at. ZREMRANGEBYSCORE comes first: it needs no memory, and after it the script may go
-- on when Redis is full.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
for i = 3, #KEYS, 2 do
  local changers, tag = KEYS[i + 1], ARGV[i + 2]
  redis.call('UNLINK', KEYS[i])
  redis.call('RPUSH', KEYS[1], ARGV[i + 1] .. tag)
  redis.call('ZREMRANGEBYSCORE', changers, '-inf', now)
  redis.call('ZADD', changers, now + ARGV[2], ARGV[1])
  local last = redis.call('ZRANGE', changers, -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', changers, last)
  redis.call('ZADD', KEYS[2], last, tag)
end
redis.call('PEXPIREAT', KEYS[2], redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2])
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[3]), -1)
return 1
