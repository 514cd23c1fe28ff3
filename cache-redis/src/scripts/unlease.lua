-- Takes back the lease of a claim whose answer nobody has: its token is known, the nonce that it was given under is not.
-- KEYS l   ARGV token      Answers 1 taken back | 0 it was another one's, or none
local l = redis.call('GET', KEYS[1])
if not l or string.sub(l, 17) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
