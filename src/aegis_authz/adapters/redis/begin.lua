-- Begins a partition's memory of used tokens, unless it has begun already.
--
-- KEYS  1 epoch
--
-- One step, so that no token can be used and forgotten between reading the time and writing it. As in settle.lua, tokens
-- issued up to this very millisecond count as older.

local time = redis.call("TIME")
return redis.call("SET", KEYS[1], string.format("%.0f", time[1] * 1000 + math.floor(time[2] / 1000) + 1), "NX")
