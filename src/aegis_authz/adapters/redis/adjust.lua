-- Makes what a decision charged into what its call came to: once, whoever says it and however often.
--
-- KEYS  1 reserved   2 one that never exists
-- ARGV  1 decision id   2 "1" when everything is given back   3 cost in micro-units, "" when it is as estimated
--
-- Answers 1, or 0 when nothing is reserved: it was adjusted before, or stays as it was charged. The keys it names are of the
-- same slot. A window that is over stays over: nothing is charged to it any more.

local lines = redis.call("GET", KEYS[1])
if not lines then
  return 0
end
redis.call("DEL", KEYS[1])

local function whole(number)
  return string.format("%.0f", number)
end

-- How much more is charged than was; what is in the account already bounds what can be given back.
local function difference(used, amount, is_cost)
  local due = tonumber(amount)
  if ARGV[2] == "1" then
    due = 0
  elseif is_cost == "1" and ARGV[3] ~= "" then
    due = tonumber(ARGV[3])
  end
  return math.max(due - tonumber(amount), -tonumber(used))
end

for line in string.gmatch(lines, "[^\n]+") do
  local kind, key, bucket, amount, is_cost = string.match(line, "^(%S+) (%S+) ?(%S*) ?(%S*) ?(%S*)$")
  if kind == "slot" then
    redis.call("ZREM", key, ARGV[1])
  elseif kind == "sum" then
    local used = redis.call("GET", key)
    if used then
      redis.call("INCRBY", key, whole(difference(used, amount, is_cost)))
    end
  elseif kind == "roll" then
    local used = redis.call("HGET", key, bucket)
    if used then
      redis.call("HINCRBY", key, bucket, whole(difference(used, amount, is_cost)))
    end
  end
end
return 1
