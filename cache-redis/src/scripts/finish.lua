-- Ends a write: stores its value if nothing came between, and invalidates the key otherwise.
-- KEYS v d w   ARGV token store my_nonce new_nonce payload life dependency_life      Answers 1 stored | 0 invalidated
--
-- Beyond the protocol's text: the value is the first write, so that Redis can refuse it when it is full; a refused value
-- invalidates the key like every other write that could not be stored.
local store = ARGV[2] == '1' and redis.call('ZSCORE', KEYS[3], ARGV[1]) and redis.call('GET', KEYS[2]) == ARGV[3]
if store then
  local value, reply = ARGV[4] .. ARGV[5], nil
  if ARGV[6] == '-1' then reply = redis.pcall('SET', KEYS[1], value)
  else reply = redis.pcall('SET', KEYS[1], value, 'PX', ARGV[6]) end
  store = not reply.err
end
redis.call('ZREM', KEYS[3], ARGV[1])
if not store then
  redis.call('UNLINK', KEYS[2])
  return 0
end
if ARGV[7] == '-1' then redis.call('SET', KEYS[2], ARGV[4]) else redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[7]) end
return 1
