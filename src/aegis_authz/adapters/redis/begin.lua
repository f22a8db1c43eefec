-- Begins a partition's memory of used tokens, unless it has begun already in this life of the server.
--
-- KEYS  1 epoch
-- ARGV  1 life of this server   2 how far a token's time may be ahead of Redis, ms
--
-- One step, so that no token can be used and forgotten between reading the time and writing it. As in settle.lua, tokens
-- issued up to this very millisecond count as older.

-- @include marks.lua

local life = string.match(redis.call("GET", KEYS[1]) or "", "^%d+ (%x+)$")
if life == ARGV[1] then
  return false
end
if not is_lived(ARGV[1]) then
  return of_another_life()
end
forget_marks(KEYS[1], ARGV[1])
local time = redis.call("TIME")
local epoch = string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000) + 1 + ARGV[2])
return redis.call("SET", KEYS[1], epoch .. " " .. ARGV[1])
