-- Part of bare.lua and charged.lua: ends the script, which then answers nil, where anything may be in the way of one of its calls.
--
-- `count` is how many calls there are. KEYS and ARGV begin as those of bare.lua.

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
  for at = 6, 4 + 2 * count, 2 do
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
