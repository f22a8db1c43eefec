-- What a call uses of sums in windows that stand still, and of paces, all in one operation: part of settle.lua.
--
--   name    its keys                      its arguments
--   plain   counted  reserved             numbers  what is reserved
--           then one for each charge
--
-- `what is reserved` is what `reserved` holds when the call passes, "" for nothing. `numbers` are doubles, little-endian: six for
-- each charge, which stay the same from call to call,
--
--   1 (sum)   exceed  most    starts at  ends at  is cost
--   2 (pace)  exceed  calls   per        burst    0
--
-- then three: 1 when no operation follows, or none but approvals that are for a call over its limits; how many ms it is reserved
-- for; how many ms a key is kept longer than needed; then for each charge its amount.
--
-- Most calls that meet limits are within all of them, and those are sums and paces. Such a call is settled here, for a third of
-- what it costs as operations of charge.lua; any other is made into these. `kept` is what all keys hold.
--
-- Calls that go together are settled by charged.lua, which does the same for several; what it leaves in doubt comes here.
--
-- Answers {"clear", {a number for each charge}}: what is used of a sum, and of a pace, what was not paid for before, in ms times
-- calls.

local WIDTH = 6

-- The numbers, and how many of them stand before the three and the amounts.
local function plain_numbers()
  local size = #ARGV[11] / 8
  return {struct.unpack("<" .. string.rep("d", size), ARGV[11])}, (size - 3) / (WIDTH + 1) * WIDTH
end

-- Since when the store must have forgotten nothing for a charge to be right.
local function plain_since(numbers, at)
  if numbers[at] == 1 then
    return numbers[at + 3]
  end
  return tonumber(ARGV[4]) - math.floor(numbers[at + 4] * numbers[at + 3] / numbers[at + 2]) - 1
end

-- Nothing is written before all were looked at; nil where the call is another.
local function settle_plain()
  local numbers, standing = plain_numbers()
  if numbers[standing + 1] ~= 1 or kept[2] then
    return nil
  end
  if kept[5] ~= ARGV[5] then
    for at = 1, standing, WIDTH do
      if epoch > plain_since(numbers, at) then
        return nil
      end
    end
  end
  local now, floor, call = tonumber(ARGV[4]), math.floor, redis.call
  local accounts, values, lives, place = {}, {}, {}, 0
  for at = 1, standing, WIDTH do
    place = place + 1
    local found, amount = kept[6 + place], numbers[standing + 3 + place]
    if numbers[at] == 1 then
      local used = (found and tonumber(found) or 0) + amount
      if used > numbers[at + 2] then
        return nil
      end
      accounts[place] = used
    else
      local calls, per, debt = numbers[at + 2], numbers[at + 3], 0
      if found then
        local paid_at, rest = string.match(found, "^(%d+) (%d+)$")
        debt = math.max((tonumber(paid_at) - now) * calls + tonumber(rest), 0)
      end
      if debt > (numbers[at + 4] - amount) * per then
        return nil
      end
      local after = debt + amount * per
      lives[place] = floor(after / calls)
      values[place] = string.format("%.0f %.0f", now + lives[place], after % calls)
      accounts[place] = debt
    end
  end
  call("SET", KEYS[2], "1", "PX", ARGV[2])
  local margin = numbers[standing + 3]
  for charge = 1, place do
    local key = 6 + charge
    if values[charge] then
      call("SET", KEYS[key], values[charge], "PX", lives[charge] + margin)
    elseif kept[key] then
      call("INCRBY", KEYS[key], numbers[standing + 3 + charge])  -- it keeps its life
    else
      local time = call("TIME")
      local life = numbers[charge * WIDTH - 1] - time[1] * 1000 - floor(time[2] / 1000)
      call("SET", KEYS[key], numbers[standing + 3 + charge], "PX", math.max(life, 0) + margin)
    end
  end
  if ARGV[12] ~= "" then
    call("SET", KEYS[6], ARGV[12], "PX", numbers[standing + 2])
  end
  return {"clear", accounts}
end

-- Makes the operation into those of charge.lua: no charge of it needs the decision's id.
local function expand_plain()
  local numbers, standing = plain_numbers()
  local list = {unpack(ARGV, 1, 9)}
  local function add(...)
    for _, argument in ipairs({...}) do
      list[#list + 1] = argument
    end
  end
  add("ledger", "", numbers[standing + 2], numbers[standing + 3])
  for at = 1, standing, WIDTH do
    local exceed, since = string.format("%d", numbers[at + 1]), plain_since(numbers, at)
    local amount = numbers[standing + 3 + (at + WIDTH - 1) / WIDTH]
    if numbers[at] == 1 then
      add("sum", exceed, since, amount, unpack(numbers, at + 2, at + 5))
    else
      add("pace", exceed, since, unpack(numbers, at + 2, at + 4))
      add(amount)
    end
  end
  add(unpack(ARGV, 13))
  ARGV = list
end
