-- Everything outside the key's own slot that an entry will name, in one piece: opens the logs and the tags.
-- KEYS pattern_log tag_log tag...   ARGV log_nonce want_tag_log dependency_life known tag_nonce...
-- Answers {pattern records, newest tag log nonce or nil, tag nonce...}
--
-- Of the pattern log: all with known '', the newest record alone with '-', and otherwise what begins with the record that
-- `known` names, or all when it is not there. Mostly that is the newest, so that one is compared first.
-- One script for what the protocol's text calls OPEN and `SET tag nonce NX GET PX`: SET would not prolong a tag that is
-- about to expire, and prolonging each time would push an invalidation to every process on every miss.
local known = ARGV[4]
local records = {redis.call('LINDEX', KEYS[1], -1)}
if not records[1] then
  redis.call('RPUSH', KEYS[1], ARGV[1])
  records = {ARGV[1]}
elseif known ~= '-' and string.sub(records[1], 1, 16) ~= known then
  local all, from = redis.call('LRANGE', KEYS[1], 0, -1), 1
  for i = #all - 1, 1, -1 do
    if string.sub(all[i], 1, 16) == known then
      from = i
      break
    end
  end
  records = {}
  for i = from, #all do records[i - from + 1] = all[i] end
end
local out = {records, false}
if ARGV[2] == '1' then
  if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('RPUSH', KEYS[2], ARGV[1]) end
  out[2] = string.sub(redis.call('LINDEX', KEYS[2], -1), 1, 16)
end
local life = tonumber(ARGV[3])
for i = 3, #KEYS do
  local n = redis.call('GET', KEYS[i])
  if not n or #n ~= 16 then
    n = ARGV[i + 2]
    if life < 0 then redis.call('SET', KEYS[i], n) else redis.call('SET', KEYS[i], n, 'PX', life) end
  else
    local left = redis.call('PTTL', KEYS[i])
    if left >= 0 and life < 0 then redis.call('PERSIST', KEYS[i])
    elseif left >= 0 and left * 2 < life then redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
  end
  out[i] = n
end
return out
