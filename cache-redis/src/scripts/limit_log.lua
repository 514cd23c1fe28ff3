-- Counts a call in a sliding window: a sorted set of what was allowed, by the time from which on it counts.
-- A member is `total:cost`: the calls up to it and its own, so that two of them tell how many lie between.
-- KEYS r   ARGV limit per_us cost grain_us      Answers {1 allowed | 0, calls counted, us until it fits, us until all is forgotten}
local limit, per, cost, grain = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local WRAP = 2 ^ 52
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local function whole(number) return string.format('%.0f', number) end
local function calls(i)
  local found = redis.call('ZRANGE', KEYS[1], i, i, 'WITHSCORES')
  if not found[1] then return nil end
  local total, own = string.match(found[1], '^(%d+):(%d+)$')
  return {name = found[1], total = tonumber(total), own = tonumber(own), at = tonumber(found[2])}
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', whole(now - per))
local first, last = calls(0), calls(-1)
local used = last and (last.total - first.total + first.own) % WRAP or 0
-- Later than it was is safe, earlier is not.
local over = math.fmod(now, grain)
local at = over == 0 and now or now + grain - over
if last and last.at > at then
  if last.at - now > per / 100 then
    -- A clock that was set back: all of it counts from now on, so that it does not count until then.
    redis.call('UNLINK', KEYS[1])
    local name = whole(last.total) .. ':' .. whole(used)
    redis.call('ZADD', KEYS[1], whole(at), name)
    redis.call('PEXPIRE', KEYS[1], whole(math.ceil((at + per - now) / 1000)))
    first = {name = name, total = last.total, own = used, at = at}
    last = first
  else
    at = last.at
  end
end
if used + cost <= limit then
  used = used + cost
  local total = ((last and last.total or 0) + cost) % WRAP
  local own = cost
  if last and last.at == at then
    redis.call('ZREM', KEYS[1], last.name)
    own = last.own + cost
  end
  redis.call('ZADD', KEYS[1], whole(at), whole(total) .. ':' .. whole(own))
  redis.call('PEXPIRE', KEYS[1], whole(math.ceil((at + per - now) / 1000)))
  return {1, used, 0, at + per - now}
end
-- The first one without which, and without those before it, there is room. There is without all of them.
local function suffices(entry) return (last.total - entry.total) % WRAP + cost <= limit end
local enough = first
if not suffices(first) then
  local low, high = 0, redis.call('ZCARD', KEYS[1]) - 1
  enough = last
  while high - low > 1 do
    local middle = math.floor((low + high) / 2)
    local entry = calls(middle)
    if suffices(entry) then high, enough = middle, entry else low = middle end
  end
end
return {0, used, enough.at + per - now, last.at + per - now}
