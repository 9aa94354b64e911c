-- Puts what was filled in the place of the live keys.
--
-- KEYS: meta, assignments, aliases, next assignments, next aliases
-- ARGV: generation, rule set version, time
--
-- Answers 'ok', or the generation that Redis is at, as publish.lua does.
local state = redis.call('HMGET', KEYS[1], 'generation', 'rebuilding')
if state[2] ~= ARGV[1] then return state[2] or state[1] or '' end
for i = 2, 3 do
  redis.call('UNLINK', KEYS[i])
  if redis.call('EXISTS', KEYS[i + 2]) == 1 then redis.call('RENAME', KEYS[i + 2], KEYS[i]) end
end
redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'rule_set_version', ARGV[2], 'updated_at', ARGV[3])
redis.call('HDEL', KEYS[1], 'rebuilding', 'rebuilding_at')
return 'ok'
