-- Gives back the memory of a value that begins with the random bytes which make it known to be invalid.
-- KEYS v   ARGV mark      Answers 1 gone | 0 it is another value by now
--
-- The mark is the head of the entry that was judged, or the nonce of a tag that is gone. Neither ever comes back.
local head = redis.call('GETRANGE', KEYS[1], 0, 4095)
if not string.find(head, ARGV[1], 1, true) then return 0 end
return redis.call('UNLINK', KEYS[1])
