-- The nonces of tags learned from values, but none for a tag that was invalidated since the tag log's position.
-- KEYS tag_log tag...   ARGV captured dependency_life (tag_nonce tag_name)...
-- Answers {nonce or nil...} | 0 nobody can say
--
-- Beyond the protocol's text: an answer for each tag, so that the tags of many values can be stamped in one go, and each
-- value is refused by its own tags alone. The log is read before the tags. A position that the log no longer holds
-- (trimmed, deleted, evicted) refuses them all: nobody can say any more what came after it.
local gone = {}
local seen = false
for _, record in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if seen then
    gone[string.sub(record, 17)] = true
  else
    seen = string.sub(record, 1, 16) == ARGV[1]
  end
end
if not seen then return 0 end
local life = tonumber(ARGV[2])
local out = {}
for i = 2, #KEYS do
  local n = false
  if not gone[ARGV[i * 2]] then
    n = redis.call('GET', KEYS[i])
    if not n or #n ~= 16 then
      n = ARGV[i * 2 - 1]
      if life < 0 then redis.call('SET', KEYS[i], n) else redis.call('SET', KEYS[i], n, 'PX', life) end
    else
      local left = redis.call('PTTL', KEYS[i])
      if left >= 0 and life < 0 then redis.call('PERSIST', KEYS[i])
      elseif left >= 0 and left * 2 < life then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
    end
  end
  out[i - 1] = n
end
return out
