-- Counts a call by the generic cell rate algorithm. What has still to flow out of the bucket is kept as the time that it takes.
-- KEYS r   ARGV room_ns call_ns interval_ns      Answers {1 allowed | 0, ns to flow out}
local room, call, interval = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local at, debt, was = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+) (%d+)$')
at, debt, was = tonumber(at) or now, tonumber(debt) or 0, tonumber(was) or interval
local function keep(left, pace)
  local text = string.format('%.0f %.0f %.0f', now, left, pace)
  redis.call('SET', KEYS[1], text, 'PX', string.format('%.0f', math.ceil(left / 1000000) + 1))
end
-- A clock that was set back: it flows from now on, so that it does not stand still until then.
if at > now then
  at = now
  keep(debt, was)
end
local left = math.max(debt - (now - at) * 1000, 0)
-- At another pace: as many calls as before, and full at the most.
if was ~= interval then left = math.ceil(left * interval / was) end
left = math.min(left, room)
if left + call > room then return {0, left} end
keep(left + call, interval)
return {1, left + call}
