-- Counts a call in a fixed window, which begins with the first one.
-- KEYS r   ARGV limit per_us cost      Answers {1 allowed | 0, calls counted, us since the window began}
local limit, per, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local began, used = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+) (%d+)$')
began, used = tonumber(began), tonumber(used)
if not began or now >= began + per then began, used = now, 0 end
-- A clock that was set back: the window begins now, so that it does not last until then.
local back = began > now
if back then began = now end
local allowed = used + cost <= limit
if allowed then used = used + cost end
if allowed or back then
  local left = math.ceil((began + per - now) / 1000)
  redis.call('SET', KEYS[1], string.format('%.0f %.0f', began, used), 'PX', string.format('%.0f', left))
end
return {allowed and 1 or 0, used, now - began}
