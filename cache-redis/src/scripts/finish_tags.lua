-- Ends a change of tags, which invalidates them. What others announced of them stays.
-- KEYS tag_log changing (tag changers)...   ARGV token keep (nonce tag_name)...
--
-- Where the announcement's time was over, or it was lost, there may be a nonce again, which names what was loaded before the
-- change. UNLINK comes first: it needs no memory.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 3, #KEYS, 2 do
  local changers, tag = KEYS[i + 1], ARGV[i + 1]
  redis.call('UNLINK', KEYS[i])
  redis.call('RPUSH', KEYS[1], ARGV[i] .. tag)
  redis.call('ZREM', changers, ARGV[1])
  redis.call('ZREMRANGEBYSCORE', changers, '-inf', now)
  local last = redis.call('ZRANGE', changers, -1, -1, 'WITHSCORES')[2]
  if last then redis.call('ZADD', KEYS[2], last, tag) else redis.call('ZREM', KEYS[2], tag) end
end
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1)
return 1
