-- Asks whether this user may run scripts on these keys, and in them the commands that the other scripts need. Nothing
-- changes: the keys do not exist, and nobody makes them.
-- KEYS v d l w      Answers how many of them exist
local v, w = KEYS[1], KEYS[4]
redis.call('TIME')
for _, call in ipairs({
  {'GET', v}, {'GETRANGE', v, 0, 0}, {'PTTL', v}, {'LINDEX', v, 0}, {'LRANGE', v, 0, 0},
  {'ZCARD', w}, {'ZCOUNT', w, 0, 0}, {'ZRANGE', w, 0, 0}, {'ZRANGEBYSCORE', w, 0, 0}, {'ZSCORE', w, 'm'},
  {'UNLINK', v}, {'LTRIM', v, 0, 0}, {'PERSIST', v}, {'PEXPIRE', v, 1}, {'PEXPIREAT', v, 1},
  {'ZREM', w, 'm'}, {'ZREMRANGEBYRANK', w, 0, 0}, {'ZREMRANGEBYSCORE', w, 0, 0},
  {'ZADD', w, 'XX', 0, 'm'}, {'SET', v, '', 'XX'},
}) do redis.call(unpack(call)) end
return redis.call('EXISTS', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
