-- One step of a session, or of all sessions of a user. A session is a hash: u its user, e the epoch it was made under, n and d what the
-- caller keeps, s the state of d, c when it was made, x when it ends at the latest, i how long it may be idle, a when it was active,
-- all in ms. A user's list is a hash of the digests of the sessions; its field '' is the user's epoch. A session is one only while its
-- user's list has its epoch: so the end of the list is the end of all of them, also of those that were never in it or that it lost.
-- All names are in one slot; those that a caller cannot know are not among KEYS.
-- KEYS what the step is about   ARGV step, beginning of the sessions' names, of the lists' names, and what each step says below
local step, sessions, users = ARGV[1], ARGV[2], ARGV[3]
local call = redis.call
local t = call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function text(number) return string.format('%.0f', number) end

-- The session, if it is one.
local function find(digest)
  local key = sessions .. digest
  local f = call('HMGET', key, 'u', 'e', 'c', 'x', 'i', 'a', 's')
  if not f[7] then return nil end
  if f[1] ~= '' and call('HGET', users .. f[1], '') ~= f[2] then
    call('UNLINK', key)
    return nil
  end
  return {
    key = key, digest = digest, user = f[1], epoch = f[2], made = tonumber(f[3]), ends = tonumber(f[4]),
    idle = tonumber(f[5]), active = tonumber(f[6]), state = f[7],
  }
end

-- Begins the idle time anew; how long it lives now. A server that is full refuses to write when it was, and keeps the session.
local function touch(s)
  local left = math.max(math.min(s.idle, s.ends - now), 1)
  redis.pcall('HSET', s.key, 'a', text(now))
  call('PEXPIRE', s.key, text(left))
  return left
end

-- The sessions of a list; what is none any more leaves it.
local function living(list)
  local found = {}
  for _, digest in ipairs(call('HKEYS', list)) do
    if digest ~= '' then
      local s = find(digest)
      if s then found[#found + 1] = s else call('HDEL', list, digest) end
    end
  end
  return found
end

-- A list outlives its sessions.
local function outlast(list, life)
  if call('PTTL', list) < life then call('PEXPIRE', list, text(life)) end
end

-- Puts a session that is about to be made on its user's list, at the cost of those that were inactive for longest if they
-- are too many. The list's epoch.
local function join(user, digest, fresh, life, most)
  local list = users .. user
  local epoch = call('HGET', list, '')
  if not epoch then
    epoch = fresh
    call('HSET', list, '', epoch)
  end
  if call('HLEN', list) > most then
    local all = living(list)
    table.sort(all, function(one, other) return one.active < other.active end)
    for i = 1, #all + 1 - most do
      call('UNLINK', all[i].key)
      call('HDEL', list, all[i].digest)
    end
  end
  call('HSET', list, digest, '')
  outlast(list, life)
  return epoch
end

local steps = {}

-- digest user fresh_epoch who data state idle_ms absolute_ms most      Answers 1
function steps.start(digest, user, fresh, who, data, state, idle, life, most)
  -- The way asked twice.
  if find(digest) then return 1 end
  idle, life = tonumber(idle), tonumber(life)
  local epoch = ''
  if user ~= '' then epoch = join(user, digest, fresh, life, tonumber(most)) end
  call('HSET', sessions .. digest, 'u', user, 'e', epoch, 'n', who, 'd', data, 's', state,
    'c', text(now), 'x', text(now + life), 'i', text(idle), 'a', text(now))
  call('PEXPIRE', sessions .. digest, text(math.min(idle, life)))
  return 1
end

-- digest 1|0      Answers {} none | {who, data, state, ms old, ms inactive, ms left}
function steps.read(digest, touched)
  local s = find(digest)
  if not s then return {} end
  local kept = call('HMGET', s.key, 'n', 'd')
  local left = touched == '1' and touch(s) or call('PTTL', s.key)
  return {kept[1], kept[2], s.state, now - s.made, now - s.active, left}
end

-- digest data state expected|'' life_ms|''      Answers 0 none | 1 written | 2 another state
function steps.write(digest, data, state, expected, life)
  local s = find(digest)
  if not s then return 0 end
  if expected ~= '' and s.state ~= expected then return s.state == state and 1 or 2 end
  call('HSET', s.key, 'd', data, 's', state)
  if life ~= '' then
    s.ends = now + tonumber(life)
    call('HSET', s.key, 'x', text(s.ends))
    if s.user ~= '' then outlast(users .. s.user, tonumber(life)) end
  end
  touch(s)
  return 1
end

-- from to who data state expected      Answers as write
function steps.move(from, to, who, data, state, expected)
  if find(to) then return 1 end
  local s = find(from)
  if not s then return 0 end
  if s.state ~= expected then return 2 end
  local key = sessions .. to
  call('HSET', key, 'u', s.user, 'e', s.epoch, 'n', who, 'd', data, 's', state,
    'c', text(s.made), 'x', text(s.ends), 'i', text(s.idle), 'a', text(now))
  call('PEXPIRE', key, text(math.max(math.min(s.idle, s.ends - now), 1)))
  call('UNLINK', s.key)
  if s.user ~= '' then
    call('HDEL', users .. s.user, from)
    call('HSET', users .. s.user, to, '')
  end
  return 1
end

-- digest      Answers 1 ended | 0 none
function steps.finish(digest)
  local s = find(digest)
  if not s then return 0 end
  call('UNLINK', s.key)
  if s.user ~= '' then
    local list = users .. s.user
    call('HDEL', list, digest)
    if call('HLEN', list) == 1 then call('UNLINK', list) end
  end
  return 1
end

-- user      Answers how many
function steps.finish_all(user)
  local all = call('HKEYS', users .. user)
  -- First, so that it is done whatever becomes of the rest.
  call('UNLINK', users .. user)
  local ended = 0
  for _, digest in ipairs(all) do
    if digest ~= '' then ended = ended + call('UNLINK', sessions .. digest) end
  end
  return ended
end

-- user      Answers {{digest, ms old, ms inactive, ms left} ..}
function steps.list(user)
  local listed = {}
  for i, s in ipairs(living(users .. user)) do
    listed[i] = {s.digest, now - s.made, now - s.active, call('PTTL', s.key)}
  end
  return listed
end

return steps[step](unpack(ARGV, 4))
