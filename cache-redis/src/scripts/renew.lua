-- Prolongs a lease that is still the caller's.
-- KEYS l   ARGV nonce..token lease_ms      Answers 1 prolonged | 0 lost
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
