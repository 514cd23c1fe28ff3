-- Stores a loaded value if the key's nonce is still the captured one and the lease was not lost.
-- KEYS v d l   ARGV nonce value life token dependency_life announced      Answers 1 stored | 0 fenced off
--
-- Beyond the protocol's text: with a token, the lease must still be the caller's, so a holder that stalled past its
-- lease cannot overwrite what its successor stored. The value is written before the lease is given back, because the
-- first write of a script is the one that Redis refuses when it is full; the lease goes either way. What is announced sets
-- the dependency to what it is, which is pushed to every process.
local leased = ARGV[4] ~= ''
if leased and redis.call('GET', KEYS[3]) ~= ARGV[1] .. ARGV[4] then return 0 end
local answer = 0
if redis.call('GET', KEYS[2]) == ARGV[1] then
  if ARGV[3] == '-1' then answer = redis.pcall('SET', KEYS[1], ARGV[2])
  else answer = redis.pcall('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
  if not answer.err then
    answer = 1
    -- A dependency without expiry (-1) is never shortened.
    local left = redis.call('PTTL', KEYS[2])
    if left >= 0 then
      if ARGV[5] == '-1' or ARGV[3] == '-1' then redis.call('PERSIST', KEYS[2])
      elseif left < tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[2], ARGV[5]) end
    end
    if ARGV[6] == '1' then redis.call('SET', KEYS[2], ARGV[1], 'KEEPTTL') end
  end
end
if leased then redis.call('UNLINK', KEYS[3]) end
return answer
