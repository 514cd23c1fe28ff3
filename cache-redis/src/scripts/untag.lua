-- Invalidates tags: their nonces go, and the tag log says so to the loads that learn their tags from the value.
-- KEYS tag_log tag...   ARGV keep (nonce tag_name)...
--
-- Beyond the protocol's text: several tags at once. UNLINK comes first, so that the rest is allowed when Redis is full.
for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end
for i = 2, #KEYS do redis.call('RPUSH', KEYS[1], ARGV[i * 2 - 2] .. ARGV[i * 2 - 1]) end
redis.call('LTRIM', KEYS[1], -tonumber(ARGV[1]), -1)
return 1
