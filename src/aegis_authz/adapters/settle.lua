-- Settles one call: all of it or nothing, in one slot, in one round trip.
--
-- KEYS  1 epoch   2 jti   3 revoked   4 approval   5 pending pointer   6 approvals index
-- ARGV  1 token issued at, ms   2 forget the token at, ms   3 agent scope   4 now, ms   5 operation
--   operation "none"
--   operation "claim"  6 digest   7 revision
--   operation "open"   6 digest   7 revision   8 approval id   9 document   10 expires at, ms   11 keep until, ms
--
-- Answers {outcome, approval id, approval expiry in ms}; outcomes are those of core/settlement.py.
--
-- Shape, kept as limits join: everything is looked at first; the token is spent by whatever it is used for; nothing
-- else is written until nothing refuses any more.

local function spend()
  return redis.call("SET", KEYS[2], "1", "NX", "PXAT", ARGV[2])
end

local function clock_ms()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function refuse(outcome)
  return {outcome, "", "0"}
end

local now = tonumber(ARGV[4])
local epoch = redis.call("GET", KEYS[1])
if not epoch then
  -- the memory of used tokens is gone: it begins again now, and every token issued up to this millisecond may have been used
  redis.call("SET", KEYS[1], string.format("%.0f", clock_ms() + 1))
  spend()
  return refuse("store_reset")
end
if not spend() then
  return refuse("replayed")
end
if tonumber(ARGV[1]) < tonumber(epoch) then
  return refuse("store_reset")
end
if redis.call("HEXISTS", KEYS[3], ARGV[3]) == 1 then
  return refuse("revoked")
end

if ARGV[5] == "none" then
  return {"clear", "", "0"}
end

if ARGV[5] == "claim" then
  local held = redis.call("HMGET", KEYS[4], "state", "scope", "digest", "revision", "expires_at")
  if not held[1] then
    return refuse("approval_not_granted")
  end
  if held[1] == "used" then
    return refuse("approval_used")
  end
  if held[2] ~= ARGV[3] or held[3] ~= ARGV[6] or held[4] ~= ARGV[7] then
    return refuse("approval_mismatch")
  end
  if held[1] ~= "approved" then
    return refuse("approval_not_granted")
  end
  if now >= tonumber(held[5]) then
    return refuse("approval_expired")
  end
  redis.call("HSET", KEYS[4], "state", "used", "used_at", ARGV[4])
  return {"clear", "", "0"}
end

if ARGV[5] == "open" then
  local pointer = redis.call("GET", KEYS[5])
  if pointer then
    local id, expires = string.match(pointer, "^(%S+) (%d+)$")
    if id and now < tonumber(expires) then
      return {"opened", id, expires}
    end
  end
  redis.call("HSET", KEYS[4], "state", "pending", "scope", ARGV[3], "digest", ARGV[6], "revision", ARGV[7],
    "expires_at", ARGV[10], "document", ARGV[9], "pending_key", KEYS[5])
  redis.call("PEXPIREAT", KEYS[4], ARGV[11])
  redis.call("SET", KEYS[5], ARGV[8] .. " " .. ARGV[10], "PXAT", ARGV[10])
  redis.call("ZADD", KEYS[6], ARGV[10], ARGV[8])
  -- approvals forgotten by now leave the index too
  redis.call("ZREMRANGEBYSCORE", KEYS[6], "-inf", string.format("%.0f", now - (tonumber(ARGV[11]) - tonumber(ARGV[10]))))
  return {"opened", ARGV[8], ARGV[10]}
end

return redis.error_reply("aegis: unknown operation")
