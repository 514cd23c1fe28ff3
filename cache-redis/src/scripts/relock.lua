-- Prolongs a lock that is still the caller's.
-- KEYS x   ARGV token lock_ms      Answers 1 prolonged | 0 lost
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 16) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
