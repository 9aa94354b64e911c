-- Writes assignments of one organization, each only if it is newer than what is there.
--
-- KEYS: meta, assignments, aliases, next assignments, next aliases, changes
-- ARGV: mode ('live', or 'fill' while the organization is filled anew), generation,
--       rule set version ('' if unknown), time, length of the stream,
--       then for each user: subject, version, epoch, kind, cause, entry
--
-- Answers 'ok', or, when nothing was written, the generation that Redis is at: a newer
-- one than the caller's, or '' when it has none, which is how lost data shows. To a
-- filling, lost data may also show as an older one.

local state = redis.call('HMGET', KEYS[1], 'generation', 'rebuilding')
local generation, rebuilding = state[1], state[2]
local mode = ARGV[1]

if mode == 'fill' then
  if rebuilding ~= ARGV[2] then return rebuilding or generation or '' end
  redis.call('HSET', KEYS[1], 'rebuilding_at', ARGV[4])
elseif generation then
  if tonumber(generation) > tonumber(ARGV[2]) then return generation end
elseif not rebuilding then
  return ''
end

-- An alias maps to its subjects, separated by spaces; more than this many are '*',
-- since a name that so many share will name nobody before the next filling.
local MOST = 100

local function link(key, alias, subject)
  if redis.call('HSETNX', key, alias, subject) == 1 then return end
  local held = redis.call('HGET', key, alias)
  if held == '*' then return end
  local n = 0
  for s in string.gmatch(held, '%S+') do
    if s == subject then return end
    n = n + 1
  end
  redis.call('HSET', key, alias, n < MOST and held .. ' ' .. subject or '*')
end

local function unlink(key, alias, subject)
  local held = redis.call('HGET', key, alias)
  if not held or held == '*' then return end
  local rest = {}
  for s in string.gmatch(held, '%S+') do
    if s ~= subject then rest[#rest + 1] = s end
  end
  if #rest == 0 then
    redis.call('HDEL', key, alias)
  else
    redis.call('HSET', key, alias, table.concat(rest, ' '))
  end
end

-- The aliases end an entry, and nothing before them comes from outside.
local function aliases(entry)
  local at = string.find(entry, '"aliases":[', 1, true)
  return at and string.sub(entry, at) or '"aliases":[]}'
end

-- What cannot be read has no aliases: one entry that somebody else wrote must not stop
-- all that come after it.
local function decode(list)
  local set = {}
  local read, object = pcall(cjson.decode, '{' .. list)
  if read and type(object) == 'table' and type(object['aliases']) == 'table' then
    for _, alias in ipairs(object['aliases']) do
      if type(alias) == 'string' then set[alias] = true end
    end
  end
  return set
end

-- Returns whether the entry was newer than the one in the hash.
local function put(hash, names, subject, version, entry)
  local old = redis.call('HGET', hash, subject)
  local had = '"aliases":[]}'
  local held = old and string.match(old, '^{"v":(%d+)')
  if held then
    if tonumber(held) >= tonumber(version) then return false end
    had = aliases(old)
  end
  redis.call('HSET', hash, subject, entry)
  local has = aliases(entry)
  if had ~= has then
    local before, after = decode(had), decode(has)
    for alias in pairs(before) do
      if not after[alias] then unlink(names, alias, subject) end
    end
    for alias in pairs(after) do
      if not before[alias] then link(names, alias, subject) end
    end
  end
  return true
end

for i = 6, #ARGV, 6 do
  local subject, version, entry = ARGV[i], ARGV[i + 1], ARGV[i + 5]
  if mode == 'live' and generation then
    if put(KEYS[2], KEYS[3], subject, version, entry) then
      redis.call('XADD', KEYS[6], 'MAXLEN', '~', ARGV[5], '*', 'subject', subject, 'version', version,
        'epoch', ARGV[i + 2], 'kind', ARGV[i + 3], 'cause', ARGV[i + 4])
    end
  end
  if rebuilding then put(KEYS[4], KEYS[5], subject, version, entry) end
end

if mode == 'live' and generation then
  redis.call('HSET', KEYS[1], 'updated_at', ARGV[4])
  if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'rule_set_version', ARGV[3]) end
end
return 'ok'
