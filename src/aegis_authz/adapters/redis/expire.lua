-- Keeps an approval as expired whose time is over while it was pending or granted, atomically.
--
-- KEYS  1 approval   2 its pointer   3 waiting of the agent   4 waiting of the tenant
-- ARGV  1 now, ms   2 approval id

local held = redis.call("HMGET", KEYS[1], "state", "expires_at")
if (held[1] ~= "pending" and held[1] ~= "approved") or tonumber(ARGV[1]) < tonumber(held[2]) then
  return 0
end
redis.call("HSET", KEYS[1], "state", "expired")
-- whatever is spoilt of the rest goes by itself, and must not keep this one from ending
for place = 3, 4 do
  redis.pcall("ZREM", KEYS[place], ARGV[2])
end
local pointer = redis.pcall("GET", KEYS[2])
if type(pointer) == "string" and string.match(pointer, "^(%S+) ") == ARGV[2] then
  redis.call("DEL", KEYS[2])
end
return 1
