-- Ends a change of tags, which invalidates them. Others who are at it stay.
-- KEYS tag_log tag...   ARGV token keep (nonce tag_name)...
--
-- A nonce in its place was made after the announcement's time was over, by a load that may have seen the old rows.
for i = 2, #KEYS do
  if type(redis.pcall('ZREM', KEYS[i], ARGV[1])) ~= 'number' then redis.call('UNLINK', KEYS[i]) end
end
for i = 2, #KEYS do redis.call('RPUSH', KEYS[1], ARGV[i * 2 - 1] .. ARGV[i * 2]) end
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1)
return 1
