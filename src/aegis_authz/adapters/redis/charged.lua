-- Settles calls of one partition that are charged what plain.lua charges, and do nothing else beside using their tokens up.
--
-- KEYS  1 epoch   2 revoked   3 quarantined agents   then the jti of each call, then counted, the accounts, `reserved` of each call
-- ARGV  1 to 4, then two of each call: as those of bare.lua
--       then numbers, doubles, little-endian: how many ms a key is kept longer than needed, then for each account six as plain.lua
--       has them
--       then two of each call: numbers, which are now, ms, for how many ms what is charged is reserved, and for each charge the
--       place of its account, from 1, and the amount; and what `reserved` holds when the call passes, "" for nothing
--
-- Answers the numbers of all charges of all calls, doubles, little-endian: what plain.lua answers, or -1 for each charge of a call
-- of which nothing was written. Such a call is replayed, or over a limit, or what it was charged may be forgotten: settle.lua
-- knows. Answers nil, and has written nothing, where bare.lua does.
--
-- An account may be that of several calls: each is charged after the one before it, and the account written once.

local count = (#ARGV - 5) / 4

-- @include obstacles.lua

local floor, format, unpack_numbers = math.floor, string.format, struct.unpack
local size = #KEYS - 4 - 2 * count
local kept = call("MGET", unpack(KEYS, 4, 4 + count + size))
local is_counted, is_used = kept[count + 1] == life, {}
epoch = tonumber(epoch)

-- Of each account what plain.lua has of it; by its key what is used of a sum; of a pace when it is paid for, the rest of that, and
-- when it was last asked; and what was charged now.
local standing, used, paid_at, rest, asked_at, added = {}, {}, {}, {}, {}, {}
local margin = unpack_numbers("<d", ARGV[5 + 2 * count])
for place = 1, size do
  local account = {unpack_numbers("<dddddd", ARGV[5 + 2 * count], 48 * place - 39)}
  local key, value = KEYS[4 + count + place], kept[1 + count + place]
  standing[place] = account
  if account[1] == 1 then
    used[key] = value and tonumber(value) or 0
  else
    local at, left = string.match(value or "", "^(%d+) (%d+)$")
    paid_at[key], rest[key] = tonumber(at or "0"), tonumber(left or "0")
  end
end

-- Since when the store must have forgotten nothing for a charge to be right.
local function since(account, now)
  return account[1] == 1 and account[4] or now - floor(account[5] * account[4] / account[3]) - 1
end

-- What a pace has that is not paid for, ms times calls.
local function debt_of(account, key, now)
  return math.max((paid_at[key] - now) * account[3] + rest[key], 0)
end

-- Whether every charge of a call is within its limit: `numbers` are those of the call.
local function is_within(numbers)
  for at = 3, #numbers, 2 do
    local account, key, amount = standing[numbers[at]], KEYS[4 + count + numbers[at]], numbers[at + 1]
    if not is_counted and epoch > since(account, numbers[1]) then
      return false
    end
    if account[1] == 1 then
      if used[key] + amount > account[3] then
        return false
      end
    elseif debt_of(account, key, numbers[1]) > (account[5] - amount) * account[4] then
      return false
    end
  end
  return true
end

-- Charges a call, and adds of each charge its number to the answer.
local function charge(numbers, answer)
  local now = numbers[1]
  for at = 3, #numbers, 2 do
    local account, key, amount = standing[numbers[at]], KEYS[4 + count + numbers[at]], numbers[at + 1]
    if account[1] == 1 then
      used[key] = used[key] + amount
      answer[#answer + 1] = used[key]
    else
      local debt, calls = debt_of(account, key, now), account[3]
      local after = debt + amount * account[4]
      paid_at[key], rest[key], asked_at[key] = now + floor(after / calls), after % calls, now
      answer[#answer + 1] = debt
    end
    added[key] = (added[key] or 0) + amount
  end
end

local answer, passing = {}, {}
for place = 1, count do
  local text = ARGV[4 + 2 * count + 2 * place]
  local numbers = {unpack_numbers("<" .. string.rep("d", #text / 8), text)}
  numbers[#numbers] = nil  -- where the text ends
  if kept[place] or is_used[KEYS[3 + place]] or not is_within(numbers) then
    for _ = 3, #numbers, 2 do
      answer[#answer + 1] = -1
    end
  else
    is_used[KEYS[3 + place]] = true
    charge(numbers, answer)
    passing[place] = numbers[2]
  end
end

-- Nothing was written before all were looked at.
for place, reserve in pairs(passing) do
  call("SET", KEYS[3 + place], "1", "PX", ARGV[3 + 2 * place])
  local reservation = ARGV[5 + 2 * count + 2 * place]
  if reservation ~= "" then
    call("SET", KEYS[4 + count + size + place], reservation, "PX", reserve)
  end
end
local server_time
for place, account in ipairs(standing) do
  local key = KEYS[4 + count + place]
  local amount = added[key]
  if amount then
    added[key] = nil
    if account[1] == 2 then
      call("SET", key, format("%.0f %.0f", paid_at[key], rest[key]), "PX", paid_at[key] - asked_at[key] + margin)
    elseif kept[1 + count + place] then
      call("INCRBY", key, amount)  -- it keeps its life
    else
      if not server_time then
        local time = call("TIME")
        server_time = time[1] * 1000 + floor(time[2] / 1000)
      end
      call("SET", key, amount, "PX", math.max(account[5] - server_time, 0) + margin)
    end
  end
end
return struct.pack("<" .. string.rep("d", #answer), unpack(answer))
