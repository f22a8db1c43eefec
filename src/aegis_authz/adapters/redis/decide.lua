-- Decides one approval that is pending, or takes one back that is granted, atomically.
--
-- KEYS  1 approval   2 its pointer   3 waiting of the agent   4 waiting of the tenant
-- ARGV  1 new state   2 by   3 now, ms   4 approval id
--
-- Answers "" when it was decided, else the state it is in.

local held = redis.call("HMGET", KEYS[1], "state", "expires_at")
if not held[1] then
  return "unknown"
end
if held[1] ~= "pending" and not (held[1] == "approved" and ARGV[1] == "cancelled") then
  return held[1]
end
if tonumber(ARGV[3]) >= tonumber(held[2]) then
  return "expired"
end
redis.call("HSET", KEYS[1], "state", ARGV[1], "decided_by", ARGV[2], "decided_at", ARGV[3])
local id = string.match(redis.call("GET", KEYS[2]) or "", "^(%S+) ")
for place = 3, 4 do
  redis.call("ZREM", KEYS[place], ARGV[4])
end
-- the pointer to a granted approval stays: by it the call passes when it is repeated
if id == ARGV[4] and ARGV[1] ~= "approved" then
  redis.call("DEL", KEYS[2])
end
return ""
