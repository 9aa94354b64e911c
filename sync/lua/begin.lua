-- Begins to fill an organization anew, beside its live keys. A filling of a lower
-- generation that is under way loses.
--
-- KEYS: meta, next assignments, next aliases    ARGV: generation, time
-- Answers 'ok', or the generation that took its place, which may be in force already.
local state = redis.call('HMGET', KEYS[1], 'generation', 'rebuilding')
for i = 1, 2 do
  if state[i] and tonumber(state[i]) >= tonumber(ARGV[1]) then return state[i] end
end
redis.call('HSET', KEYS[1], 'rebuilding', ARGV[1], 'rebuilding_at', ARGV[2])
redis.call('UNLINK', KEYS[2], KEYS[3])
return 'ok'
