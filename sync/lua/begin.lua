-- Begins to fill an organization anew, beside its live keys. A filling of a lower
-- generation that is under way loses.
--
-- KEYS: meta, next assignments, next aliases    ARGV: generation, time
local rebuilding = redis.call('HGET', KEYS[1], 'rebuilding')
if rebuilding and tonumber(rebuilding) >= tonumber(ARGV[1]) then return rebuilding end
redis.call('HSET', KEYS[1], 'rebuilding', ARGV[1], 'rebuilding_at', ARGV[2])
redis.call('UNLINK', KEYS[2], KEYS[3])
return 'ok'
