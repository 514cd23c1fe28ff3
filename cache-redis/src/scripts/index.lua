-- Lists a key under a tag: an index beside the protocol, which nothing rests on.
-- KEYS tag_set   ARGV member life limit      A member is the key, then the nonce that the tag had
--
-- A score is when the entry ends, by this server's clock, so what ends first is dropped first: what has ended, a few at a
-- time, and what is above the limit. The set lives as long as its longest member, and for ever if that does: with the life
-- of its last one it would lose the others.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[1], ARGV[2] == '-1' and '+inf' or now + ARGV[2], ARGV[1])
local ended = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100)
if #ended > 0 then redis.call('ZREM', KEYS[1], unpack(ended)) end
local over = redis.call('ZCARD', KEYS[1]) - ARGV[3]
if over > 0 then redis.call('ZREMRANGEBYRANK', KEYS[1], 0, math.min(over, 100) - 1) end
local longest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
local left = redis.call('PTTL', KEYS[1])
if longest == 'inf' then
  if left >= 0 then redis.call('PERSIST', KEYS[1]) end
elseif longest and left < longest - now then
  redis.call('PEXPIREAT', KEYS[1], longest)
end
return 1
