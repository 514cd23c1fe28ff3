-- Takes a lock that nobody has, or prolongs the one that the caller has.
-- KEYS x f   ARGV token lock_ms fence_ms      Answers {1, fencing token} taken | {0, ms left} somebody else's
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 16) ~= ARGV[1] then
  return {0, redis.call('PTTL', KEYS[1])}
end
if held then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
  return {1, string.sub(held, 17)}
end
-- Above the last one, and not below the clock: so tokens grow although the count was lost, by whatever means. Microseconds
-- are exact in Lua's numbers until the year 2255.
local t = redis.call('TIME')
local clock = t[1] * 1000000 + t[2]
local last = tonumber(redis.call('GET', KEYS[2]) or 0)
local fence = string.format('%.0f', math.max(last + 1, clock))
redis.call('SET', KEYS[2], fence, 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1] .. fence, 'PX', ARGV[2])
return {1, fence}
