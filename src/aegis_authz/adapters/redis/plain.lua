-- What a call uses of sums in windows that stand still, and of paces, all in one operation: part of settle.lua.
--
--   name    its keys                      its arguments
--   plain   counted  reserved             decision id  reserve for, ms  keep longer than needed, ms
--           then one for each charge      is alone  charges  what is reserved
--
-- `is alone` is "1" when no operation follows, or none but approvals that are for a call over its limits. `what is reserved` is
-- what `reserved` holds when the call passes, "" for nothing. `charges` are seven doubles for each charge, little-endian:
--
--   1 (sum)   exceed  amount  most   starts at  ends at  is cost
--   2 (pace)  exceed  calls   per    burst      count    0
--
-- Most calls that meet limits are within all of them, and those are sums and paces. Such a call is settled here, for a third of
-- what it costs as operations of charge.lua; any other is made into these. `kept` is what all keys hold.
--
-- Answers {"clear", {a number for each charge}}: what is used of a sum, and of a pace, what was not paid for before, in ms times
-- calls.

local WIDTH = 7

local function plain_charges()
  local charges = {struct.unpack("<" .. string.rep("d", #ARGV[15] / 8), ARGV[15])}
  charges[#charges] = nil  -- where it stopped to read
  return charges
end

-- Since when the store must have forgotten nothing for a charge to be right.
local function plain_since(charges, at)
  if charges[at] == 1 then
    return charges[at + 4]
  end
  return tonumber(ARGV[4]) - math.floor(charges[at + 4] * charges[at + 3] / charges[at + 2]) - 1
end

-- Nothing is written before all were looked at; nil where the call is another.
local function settle_plain()
  if ARGV[14] ~= "1" or kept[2] then
    return nil
  end
  local now, margin, charges = tonumber(ARGV[4]), tonumber(ARGV[13]), plain_charges()
  if kept[5] ~= ARGV[5] then
    for at = 1, #charges, WIDTH do
      if epoch > plain_since(charges, at) then
        return nil
      end
    end
  end
  local ceil, floor, call = math.ceil, math.floor, redis.call
  local accounts, values, lives, k = {}, {}, {}, 6
  for at = 1, #charges, WIDTH do
    k = k + 1
    local found = kept[k]
    if charges[at] == 1 then
      local used = (found and tonumber(found) or 0) + charges[at + 2]
      if used > charges[at + 3] then
        return nil
      end
      accounts[k - 6] = used
    else
      local calls, per, count, debt = charges[at + 2], charges[at + 3], charges[at + 5], 0
      if found then
        local paid_at, rest = string.match(found, "^(%d+) (%d+)$")
        debt = math.max((tonumber(paid_at) - now) * calls + tonumber(rest), 0)
      end
      if debt > (charges[at + 4] - count) * per then
        return nil
      end
      local after = debt + count * per
      lives[k] = floor(after / calls)
      values[k] = string.format("%.0f %.0f", now + lives[k], after % calls)
      accounts[k - 6] = debt
    end
  end
  call("SET", KEYS[2], "1", "PX", ARGV[2])
  k = 6
  for at = 1, #charges, WIDTH do
    k = k + 1
    if values[k] then
      call("SET", KEYS[k], values[k], "PX", lives[k] + margin)
    elseif kept[k] then
      call("INCRBY", KEYS[k], charges[at + 2])  -- it keeps its life
    else
      local time = call("TIME")
      local life = charges[at + 5] - time[1] * 1000 - floor(time[2] / 1000)
      call("SET", KEYS[k], charges[at + 2], "PX", math.max(life, 0) + margin)
    end
  end
  if ARGV[16] ~= "" then
    call("SET", KEYS[6], ARGV[16], "PX", ARGV[12])
  end
  return {"clear", accounts}
end

-- Makes the operation into those of charge.lua.
local function expand_plain()
  local charges, list = plain_charges(), {unpack(ARGV, 1, 9)}
  local function add(...)
    for _, argument in ipairs({...}) do
      list[#list + 1] = argument
    end
  end
  add("ledger", ARGV[11], ARGV[12], ARGV[13])
  for at = 1, #charges, WIDTH do
    local exceed, since = string.format("%d", charges[at + 1]), plain_since(charges, at)
    if charges[at] == 1 then
      add("sum", exceed, since, unpack(charges, at + 2, at + 6))
    else
      add("pace", exceed, since, unpack(charges, at + 2, at + 5))
    end
  end
  add(unpack(ARGV, 17))
  ARGV = list
end
