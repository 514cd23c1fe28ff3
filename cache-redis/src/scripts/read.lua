-- Looks once more and, when there is nothing to return, announces a load.
-- KEYS v d l w   ARGV new_nonce dependency_life token lease_ms refused_head
-- Answers {1, nonce, value, life} found | {2, nonce} load | {3, nonce, lease_life} held | {4} a writer is at work
--
-- Beyond the protocol's text: a life of '-1' is for ever; a lease_ms of '0' asks for no lease and leaves `l` alone;
-- a dependency that is not 16 bytes long is nobody's and is replaced; asking twice with one token (a request that the
-- network repeated) gets the lease that the first one took.
if redis.call('EXISTS', KEYS[4]) == 1 then
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  if redis.call('ZCOUNT', KEYS[4], now, '+inf') > 0 then return {4} end
end
local g = redis.call('GET', KEYS[2])
if not g or #g ~= 16 then
  g = ARGV[1]
  if ARGV[2] == '-1' then redis.call('SET', KEYS[2], g) else redis.call('SET', KEYS[2], g, 'PX', ARGV[2]) end
end
local v = redis.call('GET', KEYS[1])
if v and string.sub(v, 1, 16) == g and (ARGV[5] == '' or string.sub(v, 1, #ARGV[5]) ~= ARGV[5]) then
  return {1, g, v, redis.call('PTTL', KEYS[1])}
end
if ARGV[4] == '0' then return {2, g} end
local l = redis.call('GET', KEYS[3])
if l == g .. ARGV[3] then return {2, g} end
-- A lease of an older nonce is void: its holder can store nothing any more.
if l and string.sub(l, 1, 16) == g then return {3, g, redis.call('PTTL', KEYS[3])} end
redis.call('SET', KEYS[3], g .. ARGV[3], 'PX', ARGV[4])
return {2, g}
