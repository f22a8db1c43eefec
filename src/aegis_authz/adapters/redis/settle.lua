-- Settles one call: all of it or nothing, in one slot, in one round trip.
--
-- KEYS  1 epoch   2 jti   3 revoked   4 quarantined agents, by until when, ms   then the keys of each operation
-- ARGV  1 token issued at, ms   2 remember the token for, ms   3 agent scope   4 now, ms   5 life of this server
--       6 how far a token's time may be ahead of Redis, ms
--       7 its tenant   8 its token   9 its key, "" for none, and after a line feed each those of its actors: with its agent,
--       the marks under which it can be revoked
--       then each operation: its name and its arguments
--
--   name    its keys                                      its arguments
--   claim   approval                                      digest  basis  approval id  is for a call over its limits
--   open    approval  pointer  approvals index            digest  basis  approval id  document  expires at, ms
--           waiting of the agent  waiting of the tenant   keep past expiry for, ms  most of the agent  most of the tenant
--                                                         is for a call over its limits
--   grant   calls of a grant                              granted at, ms  most calls  keep for, ms  calls
--   and those of charge.lua and plain.lua, which come before these
--
-- Answers {outcome, approval id, approval expiry in ms, who granted it}, and where the call has operations or is refused, how
-- each charge stands ("used left most resets-at excess", a comma between), and until when the agent is quarantined, 0 for not;
-- after approval_used of this very call also "used at, ms" and, where it is known, what became of the call, as conclude.lua
-- keeps it.
-- plain.lua says what it answers.
-- Outcomes are those of core/settlement.py.
--
-- Phase 1 looks at everything and writes nothing; the first refusal is the outcome. Phase 2 writes. The token is spent in
-- every outcome; operations are written only when nothing refused, and charges only when the call passes: not when an
-- approval is opened. A new kind of operation is one more entry of OPERATIONS:
--   keys, arguments       how many it takes
--   look(k, a)            phase 1: the outcome it refuses with, or nil
--   write(k, a, so_far)   phase 2: the answer it gives, or nil for the one so far
--   charge(k, a, place)   phase 2, when the call passes: what is used then and left, nil when that is as it was looked at
--   finish(k, a)          phase 2, after all charges
-- k and a say where its keys and arguments begin, place which account is its own.
--
-- A server that was started again, or another that took over, may have lost what it was told last: an epoch counts only under
-- the life that wrote it. Under another, the memory has begun again, and so have grants: a lost use would let one be used twice.
--
-- Clocks. The epoch is the time of Redis: it alone knows when its memory began, and no caller may date it back. An approval's
-- expiry is judged by the caller's `now`: a caller's clock set it, and the record of the call shows that time. What is
-- forgotten is forgotten after a span that Redis counts itself, so no clock running ahead can make it forget a token early.

local KEYS, ARGV = KEYS, ARGV

-- What is kept as text, nil for all else: in one command where it is more than the epoch.
local kept = ARGV[10] == "plain" and redis.call("MGET", unpack(KEYS)) or {redis.call("GET", KEYS[1])}
local epoch, life = string.match(kept[1] or "", "^(%d+) (%x+)$")
epoch = life == ARGV[5] and tonumber(epoch) or nil

local function is_revoked()
  local names = {ARGV[3], ARGV[7], ARGV[8]}
  for name in string.gmatch(ARGV[9], "[^\n]+") do
    names[#names + 1] = name
  end
  for _, mark in ipairs(redis.call("HMGET", KEYS[3], unpack(names))) do
    if mark then
      return true
    end
  end
  return false
end

local function now()
  return tonumber(ARGV[4])
end

-- Until when the agent is quarantined, 0 when it is not.
local function quarantined_until()
  local until_ = tonumber(redis.call("ZSCORE", KEYS[4], ARGV[3]) or "0")
  return until_ > now() and until_ or 0
end

-- @include marks.lua
-- @include plain.lua

if not epoch and not is_lived(ARGV[5]) then
  return of_another_life()
end

-- Most calls have no operation and nothing in their way; settled here they cost a third less.
local function is_clear()
  return epoch and tonumber(ARGV[1]) >= epoch and not is_revoked() and quarantined_until() == 0
end
if not ARGV[10] then
  if is_clear() then
    local spent = redis.call("SET", KEYS[2], "1", "PX", ARGV[2], "NX")
    return {spent and "clear" or "replayed", "", "0", ""}
  end
elseif ARGV[10] == "plain" then
  local answer = is_clear() and settle_plain()
  if answer then
    return answer
  end
  expand_plain()
end

local OPERATIONS = {
  claim = {keys = 1, arguments = 4},
  open = {keys = 5, arguments = 9},
  grant = {keys = 1, arguments = 4},
}

local function whole(number)
  return string.format("%.0f", number)
end

-- @include charge.lua

-- Whether a grant is older than the memory, which may have forgotten its use.
local function is_void(decided_at)
  return not epoch or tonumber(decided_at) < epoch
end

-- What became of the call when its approval was used before.
local former_use

function OPERATIONS.claim.look(k, a)
  local held = redis.call("HMGET", KEYS[k], "state", "scope", "digest", "basis", "expires_at", "decided_at", "used_at",
    "outcome")
  if not held[1] then
    return "approval_not_granted"
  end
  if held[1] == "used" then
    if held[2] == ARGV[3] and held[3] == ARGV[a] and held[7] then
      former_use = held[7] .. (held[8] and " " .. held[8] or "")
    end
    return "approval_used"
  end
  if held[2] ~= ARGV[3] or held[3] ~= ARGV[a] then
    return "approval_mismatch"
  end
  if held[1] == "stale" or held[4] ~= ARGV[a + 1] then
    return "approval_stale"
  end
  if held[1] == "expired" then
    return "approval_expired"
  end
  if held[1] ~= "approved" then
    return "approval_not_granted"
  end
  if now() >= tonumber(held[5]) or is_void(held[6]) then
    return "approval_expired"
  end
  return nil
end

-- Uses an approval up: the answer of the one call that it lets through.
local function use(key, id)
  redis.call("HSET", key, "state", "used", "used_at", ARGV[4])
  local held = redis.call("HMGET", key, "expires_at", "decided_by")
  return {"approved", id, held[1], held[2] or ""}
end

function OPERATIONS.claim.write(k, a)
  return use(KEYS[k], ARGV[a + 2])
end

-- The approval of this very call that is pending or granted: its key, id, expiry, state, and whether what judges the call is
-- another since; nil when there is none.
local function standing(k, a)
  local pointer = redis.call("GET", KEYS[k + 1])
  local id, expires = string.match(pointer or "", "^(%S+) (%d+)$")
  if not id or now() >= tonumber(expires) then
    return nil
  end
  local key = string.sub(KEYS[k], 1, -1 - #ARGV[a + 2]) .. id
  local held = redis.call("HMGET", key, "state", "scope", "digest", "basis", "decided_at")
  if held[2] ~= ARGV[3] or held[3] ~= ARGV[a] then
    return nil
  end
  if held[1] ~= "pending" and (held[1] ~= "approved" or is_void(held[5])) then
    return nil
  end
  return key, id, expires, held[1], held[4] ~= ARGV[a + 1]
end

-- How many calls wait for a person; those whose time is over wait no more.
local function waiting(key)
  return redis.call("ZCOUNT", key, "(" .. whole(now()), "+inf")
end

function OPERATIONS.open.look(k, a)
  local _, _, _, state, is_stale = standing(k, a)
  if state and not is_stale then
    return nil
  end
  -- a stale one that waits leaves its place to the new one
  local left = state == "pending" and 1 or 0
  if waiting(KEYS[k + 3]) - left >= tonumber(ARGV[a + 6]) or waiting(KEYS[k + 4]) - left >= tonumber(ARGV[a + 7]) then
    return "approvals_full"
  end
  return nil
end

function OPERATIONS.open.write(k, a)
  local key, held, until_, state, is_stale = standing(k, a)
  if state == "approved" and not is_stale then
    -- the same agent repeats the very call that was granted: it passes once, with or without its override token
    redis.call("DEL", KEYS[k + 1])
    return use(key, held)
  end
  if state == "pending" and not is_stale then
    return {"opened", held, until_, ""}
  end
  if is_stale then
    -- for good: what judges may become again what it was, and then there would be two approvals of one call
    redis.call("HSET", key, "state", "stale")
    for place = k + 3, k + 4 do
      redis.call("ZREM", KEYS[place], held)
    end
  end
  local id, expires = ARGV[a + 2], tonumber(ARGV[a + 4])
  local keep, left = tonumber(ARGV[a + 5]), math.max(expires - now(), 1)
  redis.call("HSET", KEYS[k], "state", "pending", "scope", ARGV[3], "digest", ARGV[a], "basis", ARGV[a + 1],
    "expires_at", whole(expires), "document", ARGV[a + 3])
  redis.call("PEXPIRE", KEYS[k], whole(left + keep))
  redis.call("SET", KEYS[k + 1], id .. " " .. whole(expires), "PX", whole(left))
  redis.call("ZADD", KEYS[k + 2], whole(expires), id)
  for place = k + 3, k + 4 do
    redis.call("ZREMRANGEBYSCORE", KEYS[place], "-inf", whole(now()))
    redis.call("ZADD", KEYS[place], whole(expires), id)
    redis.call("PEXPIRE", KEYS[place], whole(math.max(left, redis.call("PTTL", KEYS[place]))))
  end
  -- approvals forgotten by now leave the index too, and the index goes with the last of them
  redis.call("ZREMRANGEBYSCORE", KEYS[k + 2], "-inf", whole(now() - keep))
  if redis.call("PTTL", KEYS[k + 2]) < left + keep then
    redis.call("PEXPIRE", KEYS[k + 2], whole(left + keep))
  end
  return {is_stale and "reopened" or "opened", id, whole(expires), ""}
end

-- A count that the memory may have lost counts for nothing: the grant is older than the memory.
function OPERATIONS.grant.look(k, a)
  if is_void(ARGV[a]) then
    return "store_reset"
  end
  if tonumber(redis.call("GET", KEYS[k]) or "0") + tonumber(ARGV[a + 3]) > tonumber(ARGV[a + 1]) then
    return "grant_used_up"
  end
  return nil
end

-- A call that waits for a person is counted when it is let through.
function OPERATIONS.grant.write(k, a, so_far)
  if so_far[1] == "clear" or so_far[1] == "approved" then
    redis.call("INCRBY", KEYS[k], ARGV[a + 3])
    redis.call("PEXPIRE", KEYS[k], ARGV[a + 2])
  end
  return nil
end

-- Whether an approval is beside the point: it is for a call over its limits, and this one is not.
local APPROVALS = {[OPERATIONS.claim] = 3, [OPERATIONS.open] = 8}
local function is_idle(step)
  local at = APPROVALS[step[1]]
  return at and ARGV[step[3] + at] == "1" and over ~= 2
end

local steps, has_approval = {}, false
local k, a = 5, 10
while ARGV[a] do
  local operation = OPERATIONS[ARGV[a]]
  if not operation or not KEYS[k + operation.keys - 1] or not ARGV[a + operation.arguments] then
    return redis.error_reply("ERR aegis: unreadable operation")
  end
  steps[#steps + 1] = {operation, k, a + 1}
  has_approval = has_approval or APPROVALS[operation] ~= nil
  k, a = k + operation.keys, a + operation.arguments + 1
end

local seen = redis.call("EXISTS", KEYS[2]) == 1

-- Whether the charges that were looked at do not let the call pass.
local function is_over_limits()
  return over == 3 or (over == 2 and not has_approval)
end

local function refusal()
  if not epoch then
    return "store_reset"
  end
  if seen then
    return "replayed"
  end
  if tonumber(ARGV[1]) < epoch then
    return "store_reset"
  end
  if is_revoked() then
    return "revoked"
  end
  if quarantined_until() > 0 then
    return "quarantined"
  end
  for _, step in ipairs(steps) do
    if not step[1].charge and is_over_limits() then
      return "limit_exceeded"
    end
    if step[1].look and not is_idle(step) then
      local outcome = step[1].look(step[2], step[3])
      if outcome then
        return outcome
      end
    end
  end
  return is_over_limits() and "limit_exceeded" or nil
end

local refused = refusal()

if not epoch then
  -- the memory of used tokens is gone, or some of it may be: it begins again, and every token issued up to this millisecond,
  -- by a clock that may be ahead, may have been used
  forget_marks(KEYS[1], ARGV[5])
  local time = redis.call("TIME")
  redis.call("SET", KEYS[1], whole(time[1] * 1000 + math.floor(time[2] / 1000) + 1 + ARGV[6]) .. " " .. ARGV[5])
end
if not seen then
  redis.call("SET", KEYS[2], "1", "PX", ARGV[2])
end
local function answered(outcome, id, expires, granted_by, use)
  return {outcome, id, expires, granted_by, table.concat(accounts, ","), whole(quarantined_until()), use}
end
if refused then
  return answered(refused, "", "0", "", refused == "approval_used" and former_use or nil)
end
local answer = {"clear", "", "0", ""}
for _, step in ipairs(steps) do
  if step[1].write and not is_idle(step) then
    answer = step[1].write(step[2], step[3], answer) or answer
  end
end
if answer[1] == "clear" or answer[1] == "approved" then
  local place = 0
  for _, step in ipairs(steps) do
    if step[1].charge then
      place = place + 1
      local used, left = step[1].charge(step[2], step[3], place)
      if used then
        local rest = string.match(accounts[place], "^%S+ %S+ (.+)$")
        accounts[place] = whole(used) .. " " .. whole(math.max(left, 0)) .. " " .. rest
      end
    end
  end
  for _, step in ipairs(steps) do
    if step[1].finish then
      step[1].finish(step[2], step[3])
    end
  end
end
return answered(unpack(answer))
