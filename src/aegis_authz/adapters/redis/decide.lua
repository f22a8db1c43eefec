-- Decides one pending approval, atomically.
--
-- KEYS  1 approval   2 its pending pointer
-- ARGV  1 new state   2 by   3 now, ms
--
-- Answers the state it had; only "pending" means that it was decided.

local held = redis.call("HMGET", KEYS[1], "state", "expires_at")
if not held[1] then
  return "unknown"
end
if held[1] ~= "pending" then
  return held[1]
end
if tonumber(ARGV[3]) >= tonumber(held[2]) then
  return "expired"
end
redis.call("HSET", KEYS[1], "state", ARGV[1], "decided_by", ARGV[2], "decided_at", ARGV[3])
redis.call("DEL", KEYS[2])
return "pending"
