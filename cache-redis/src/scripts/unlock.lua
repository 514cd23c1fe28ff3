-- Lets go of a lock that is still the caller's.
-- KEYS x   ARGV token      Answers 1 let go of | 0 it was not the caller's
local held = redis.call('GET', KEYS[1])
if not held or string.sub(held, 1, 16) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
