-- Gives back the memory of values that nobody has touched since they were invalidated.
-- KEYS v...   ARGV invalidated_at (seconds, this server's clock)
-- Answers how many went | -1 this server does not know idle times (an LFU policy)
--
-- A value that was read or written after the invalidation has been idle for less than the time since then and stays: it
-- may be fresh. The two seconds more are for Redis's clock of accesses, which is coarse.
local enough = redis.call('TIME')[1] - ARGV[1] + 2
local gone = 0
for i = 1, #KEYS do
  local idle = redis.pcall('OBJECT', 'IDLETIME', KEYS[i])
  if type(idle) == 'table' and idle.err then return -1 end
  if idle and idle >= enough then gone = gone + redis.call('UNLINK', KEYS[i]) end
end
return gone
