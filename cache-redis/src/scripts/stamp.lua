-- The nonces of tags learned from a value, unless one of them was invalidated since the tag log's position.
-- KEYS tag_log tag...   ARGV captured dependency_life (tag_nonce tag_name)...      Answers {nonce...} | 0 refused
--
-- The log is read before the tags. A position that the log no longer holds (trimmed, deleted, evicted) refuses: nobody
-- can say any more what came after it.
local named = {}
for i = 4, #ARGV, 2 do named[ARGV[i]] = true end
local seen = false
for _, record in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if seen then
    if named[string.sub(record, 17)] then return 0 end
  else
    seen = string.sub(record, 1, 16) == ARGV[1]
  end
end
if not seen then return 0 end
local life = tonumber(ARGV[2])
local out = {}
for i = 2, #KEYS do
  local n = redis.call('GET', KEYS[i])
  if not n or #n ~= 16 then
    n = ARGV[i * 2 - 1]
    if life < 0 then redis.call('SET', KEYS[i], n) else redis.call('SET', KEYS[i], n, 'PX', life) end
  else
    local left = redis.call('PTTL', KEYS[i])
    if left >= 0 and life < 0 then redis.call('PERSIST', KEYS[i])
    elseif left >= 0 and left * 2 < life then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
  end
  out[i - 1] = n
end
return out
