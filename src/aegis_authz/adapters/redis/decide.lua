-- Decides one approval that is pending, or takes one back that is granted, atomically. An approval that needs several
-- people stays pending until so many have approved.
--
-- KEYS  1 approval   2 its pointer   3 waiting of the agent   4 waiting of the tenant
-- ARGV  1 new state   2 by   3 now, ms   4 approval id   5 how many must approve
--
-- Answers {outcome, who has approved, a line each}. The outcome is "decided", "counted" for an approval that is not the
-- last, "repeated" for the second of one person, "unknown", else the state it is in.

local held = redis.call("HMGET", KEYS[1], "state", "expires_at", "approved_by")
local approvers = held[3] or ""
if not held[1] then
  return {"unknown", ""}
end
if held[1] ~= "pending" and not (held[1] == "approved" and ARGV[1] == "cancelled") then
  return {held[1], approvers}
end
if tonumber(ARGV[3]) >= tonumber(held[2]) then
  return {"expired", approvers}
end
local decided_by = ARGV[2]
if ARGV[1] == "approved" then
  local names = {}
  for name in string.gmatch(approvers, "[^\n]+") do
    if name == ARGV[2] then
      return {"repeated", approvers}
    end
    names[#names + 1] = name
  end
  names[#names + 1] = ARGV[2]
  approvers = table.concat(names, "\n")
  redis.call("HSET", KEYS[1], "approved_by", approvers)
  if #names < tonumber(ARGV[5]) then
    return {"counted", approvers}
  end
  decided_by = table.concat(names, ", ")
end
redis.call("HSET", KEYS[1], "state", ARGV[1], "decided_by", decided_by, "decided_at", ARGV[3])
local id = string.match(redis.call("GET", KEYS[2]) or "", "^(%S+) ")
for place = 3, 4 do
  redis.call("ZREM", KEYS[place], ARGV[4])
end
-- the pointer to a granted approval stays: by it the call passes when it is repeated
if id == ARGV[4] and ARGV[1] ~= "approved" then
  redis.call("DEL", KEYS[2])
end
return {"decided", approvers}
