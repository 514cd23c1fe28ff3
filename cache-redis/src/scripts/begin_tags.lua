-- Announces a change of tags: they are invalid from here on, and nobody stores what bears one until the change has ended.
-- KEYS tag_log tag...   ARGV token at_most keep (nonce tag_name)...
--
-- In place of a nonce stands a sorted set of those who are at it, by the time at which each ends by itself. It is no nonce, so
-- every entry that names the tag is invalid; and loads that find it store nothing (capture.lua, stamp.lua). LTRIM comes first:
-- it needs no memory.
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[3]), -1)
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 2, #KEYS do
  if type(redis.pcall('ZCARD', KEYS[i])) ~= 'number' then redis.call('UNLINK', KEYS[i]) end
  redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
  redis.call('ZADD', KEYS[i], now + ARGV[2], ARGV[1])
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
  redis.call('RPUSH', KEYS[1], ARGV[i * 2] .. ARGV[i * 2 + 1])
end
return 1
