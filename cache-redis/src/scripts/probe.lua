-- Asks whether this user may run scripts on these keys.
-- KEYS v d l w      Answers how many of them exist
return redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
