-- Settles bare calls of one partition, which do nothing but use their tokens up, where nothing is in the way of any of them.
--
-- KEYS  1 epoch   2 revoked   3 quarantined agents   then the jti of each call
-- ARGV  1 life of this server   2 when the oldest of their tokens was issued, ms   3 their agents' scopes, a line feed between
--       4 the other marks that several may share, a line feed between   then of each call: remember the token for, ms; its token
--
-- Answers 0 when all are clear; else a list of the places of those that are replayed, counted from 1. Answers nil, and has written
-- nothing, where any of them may have to be refused for another reason: settle.lua knows which. It alone begins a memory, and it
-- knows whether the caller has yet to see that the server is another. All keys and marks are those of settle.lua.

local call, KEYS, ARGV = redis.call, KEYS, ARGV

local epoch, life = string.match(call("GET", KEYS[1]) or "", "^(%d+) (%x+)$")
if life ~= ARGV[1] or tonumber(epoch) > tonumber(ARGV[2]) then
  return false
end

-- Whether there is a mark for one of the calls: hardly ever, for most partitions hold none at all.
local function is_marked()
  local scopes, marks = {}, {}
  for scope in string.gmatch(ARGV[3], "[^\n]+") do
    scopes[#scopes + 1] = scope
    marks[#marks + 1] = scope
  end
  for mark in string.gmatch(ARGV[4], "[^\n]+") do
    marks[#marks + 1] = mark
  end
  for at = 6, #ARGV, 2 do
    marks[#marks + 1] = ARGV[at]
  end
  for _, mark in ipairs(call("HMGET", KEYS[2], unpack(marks))) do
    if mark then
      return true
    end
  end
  for _, until_ in ipairs(call("ZMSCORE", KEYS[3], unpack(scopes))) do
    if until_ then
      return true  -- until when is for settle.lua to judge
    end
  end
  return false
end
if call("EXISTS", KEYS[2], KEYS[3]) ~= 0 and is_marked() then
  return false
end

local replayed
for key = 4, #KEYS do
  if not call("SET", KEYS[key], "1", "PX", ARGV[2 * key - 3], "NX") then
    replayed = replayed or {}
    replayed[#replayed + 1] = key - 3
  end
end
return replayed or 0
