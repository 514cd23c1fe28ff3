-- Gives back a lease that is still the caller's.
-- KEYS l   ARGV nonce..token      Answers 1 given back | 0 it was not the caller's
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
