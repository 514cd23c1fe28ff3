-- Everything outside the key's own slot that an entry will name, in one piece: opens the logs and the tags.
-- KEYS pattern_log tag_log changing tag...   ARGV log_nonce want_tag_log dependency_life known tag_nonce...
-- Answers {pattern records, newest tag log nonce or nil, names of the tags that are being changed, tag nonce or nil...}: nil
-- for a tag that is being changed, which gets no nonce
--
-- Only who wants the tag log learns of tags from the value and needs their names; of too many it gets none, and no tag log.
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
local out = {records, false, {}}
local now = false
if (ARGV[2] == '1' or #KEYS > 3) and redis.call('EXISTS', KEYS[3]) == 1 then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
if ARGV[2] == '1' then
  if redis.call('EXISTS', KEYS[2]) == 0 then redis.call('RPUSH', KEYS[2], ARGV[1]) end
  out[2] = string.sub(redis.call('LINDEX', KEYS[2], -1), 1, 16)
  if now then
    local most = 64
    local names = redis.call('ZRANGEBYSCORE', KEYS[3], now, '+inf', 'LIMIT', 0, most + 1)
    if #names > most then out[2] = false else out[3] = names end
  end
end
local life = tonumber(ARGV[3])
for i = 4, #KEYS do
  local n = redis.call('GET', KEYS[i])
  -- A tag's key is the pattern log's, then `t:` and its name.
  local ends = now and redis.call('ZSCORE', KEYS[3], string.sub(KEYS[i], #KEYS[1] + 3))
  if ends and tonumber(ends) >= now then
    n = false
  elseif not n or #n ~= 16 then
    n = ARGV[i + 1]
    if life < 0 then redis.call('SET', KEYS[i], n) else redis.call('SET', KEYS[i], n, 'PX', life) end
  else
    local left = redis.call('PTTL', KEYS[i])
    if left >= 0 and life < 0 then redis.call('PERSIST', KEYS[i])
    elseif left >= 0 and left * 2 < life then redis.call('PEXPIRE', KEYS[i], ARGV[3]) end
  end
  out[i] = n
end
return out
