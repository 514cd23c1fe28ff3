-- Keeps tags for as long as the entry that was stored with them.
-- KEYS tag...   ARGV life dependency_life nonce...
--
-- Tags that were known before the load were made before its value said how long it lives. What is low is prolonged, and
-- nothing else: PEXPIRE is pushed to every process. A tag that is another one by now keeps its life.
for i = 1, #KEYS do
  if redis.call('GET', KEYS[i]) == ARGV[i + 2] then
    local left = redis.call('PTTL', KEYS[i])
    if left >= 0 then
      if ARGV[1] == '-1' then redis.call('PERSIST', KEYS[i])
      elseif left < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[i], ARGV[2]) end
    end
  end
end
return 1
