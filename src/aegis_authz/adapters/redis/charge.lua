-- What a call uses of its limits: part of settle.lua, which says how operations are made.
--
--   name    its keys          its arguments
--   ledger  counted  reserved   decision id  reserve for, ms  keep longer than needed, ms
--   sum     sum               exceed  since  amount  most  starts at  ends at  is cost
--   roll    sums              exceed  since  amount  most  length  is cost
--   pace    pace              exceed  since  calls  per  burst  count
--   member  members           exceed  since  values  most  starts at (-1: rolling)  ends at or length
--   slot    slots             exceed  since  most  life
--   marks   flags             exceed  since  session  attested  sets  requires  unless  life
--   tally   refusals  domains  why   breaker  most refusals  most domains (0: none)  is of a domain  within  quarantine
--
-- `exceed` is 0 observe, 1 sanitize, 2 approval_needed, 3 deny. Times are ms; lists are texts with a space between.
-- Looking at a charge refuses nothing: it notes how the limit stands, and the strictest of those that are exceeded decides.
--
--   key       type        value
--   sum       string      what was used in its window
--   sums      hash        bucket -> what was used in it; a bucket is a 60th of the length, and counts until all of it is over:
--                         a sum is never too small
--   pace      string      "ms rest": when all that passed is paid for, in ms and parts of one (GCRA's TAT, exact)
--   members   sorted set  hashes of values, by when they were last used
--   slots     sorted set  decision ids of calls under way, by when they are over at the latest
--   flags     sorted set  "session/flag" by when it is over; "/flag" is set for the whole agent
--   counted   string      life of the server in which nothing counts as forgotten
--   reserved  string      a line for each charge that can be adjusted: "sum|roll key bucket amount is-cost", "slot key"
--   why       string      "since breaker"

local BUCKETS = 60
local MOST_FLAGS = 10000
local EXACT = 9007199254740991

local accounts = {}
local over = -1
local reserved = {}
local decision_id, reserve, margin, is_counted

-- Notes how a charge stands. `excess` is "0" when it is within its limit; `ends_at` is when its window is over, where it
-- stands still.
local function note(a, used, left, most, resets_at, excess, ends_at)
  if excess == "0" and not is_counted and epoch > tonumber(ARGV[a + 1]) then
    -- what was used since then may have been forgotten; it counts again when that is so long ago
    excess, left, resets_at = "4", 0, ends_at or epoch + now() - tonumber(ARGV[a + 1])
  end
  if excess ~= "0" then
    over = math.max(over, tonumber(ARGV[a]))
  end
  accounts[#accounts + 1] = table.concat({whole(used), whole(math.max(left, 0)), whole(most), whole(resets_at), excess}, " ")
end

-- How long the key of a window that stands still is kept: by the clock of Redis, so that none running ahead ends it early.
local server_time
local function life_until(ends_at)
  if not server_time then
    local time = redis.call("TIME")
    server_time = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return whole(math.max(ends_at - server_time, 0) + margin)
end

local function keep_for(key, life)
  redis.call("PEXPIRE", key, whole(math.max(life + margin, redis.call("PTTL", key))))
end

local function is_over(place)
  return string.sub(accounts[place], -1) ~= "0"
end

-- Whether a charge that is over its limit, and passes all the same, is remembered where each takes room or time.
local function is_counted_over(a)
  return ARGV[a] == "2"
end

OPERATIONS.ledger = {keys = 2, arguments = 3}

function OPERATIONS.ledger.look(k, a)
  decision_id, reserve, margin = ARGV[a], tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  is_counted = redis.call("GET", KEYS[k]) == ARGV[5]
end

function OPERATIONS.ledger.finish(k)
  if reserve > 0 and #reserved > 0 then
    redis.call("SET", KEYS[k + 1], table.concat(reserved, "\n"), "PX", whole(reserve))
  end
end

OPERATIONS.sum = {keys = 1, arguments = 7}

local sums = {}

function OPERATIONS.sum.look(k, a)
  local used, amount, most = tonumber(redis.call("GET", KEYS[k]) or "0"), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  sums[k] = used
  if used + amount > EXACT then
    over = 3
  end
  local excess = used + amount > most and "1" or "0"
  note(a, used, most - used, most, amount > most and 0 or tonumber(ARGV[a + 5]), excess, tonumber(ARGV[a + 5]))
end

function OPERATIONS.sum.charge(k, a, place)
  local amount, used = tonumber(ARGV[a + 2]), sums[k]
  redis.call("SET", KEYS[k], whole(used + amount), "PX", life_until(tonumber(ARGV[a + 5])))
  reserved[#reserved + 1] = table.concat({"sum", KEYS[k], "-", whole(amount), ARGV[a + 6]}, " ")
  return used + amount, tonumber(ARGV[a + 3]) - used - amount
end

-- The buckets that count at present, oldest first, and what was used in them.
local function buckets_of(key, length)
  local width, fields = math.ceil(length / BUCKETS), redis.call("HGETALL", key)
  local buckets, gone, used = {}, {}, 0
  for place = 1, #fields, 2 do
    local number, amount = tonumber(fields[place]), tonumber(fields[place + 1])
    if (number + 1) * width > now() - length then
      buckets[#buckets + 1] = {number, amount}
      used = used + amount
    else
      gone[#gone + 1] = fields[place]
    end
  end
  table.sort(buckets, function(left, right) return left[1] < right[1] end)
  return buckets, used, width, gone
end

local function add_to_bucket(key, length, amount)
  local _, _, width, gone = buckets_of(key, length)
  if #gone > 0 then
    redis.call("HDEL", key, unpack(gone))
  end
  local bucket = whole(math.floor(now() / width))
  redis.call("HINCRBY", key, bucket, whole(amount))
  redis.call("PEXPIRE", key, whole(length + width + margin))
  return bucket
end

OPERATIONS.roll = {keys = 1, arguments = 6}

function OPERATIONS.roll.look(k, a)
  local amount, most, length = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local buckets, used, width = buckets_of(KEYS[k], length)
  sums[k] = used
  if used + amount > EXACT then
    over = 3
  end
  if used + amount <= most then
    return note(a, used, most - used, most, now() + length, "0")
  end
  local resets_at, left = 0, used
  if amount <= most then
    for _, bucket in ipairs(buckets) do
      left = left - bucket[2]
      if left + amount <= most then
        resets_at = (bucket[1] + 1) * width + length
        break
      end
    end
  end
  note(a, used, most - used, most, resets_at, "1")
end

function OPERATIONS.roll.charge(k, a)
  local amount, used = tonumber(ARGV[a + 2]), sums[k]
  local bucket = add_to_bucket(KEYS[k], tonumber(ARGV[a + 4]), amount)
  reserved[#reserved + 1] = table.concat({"roll", KEYS[k], bucket, whole(amount), ARGV[a + 5]}, " ")
  return used + amount, tonumber(ARGV[a + 3]) - used - amount
end

OPERATIONS.pace = {keys = 1, arguments = 6}

-- What is not paid for yet, in ms times calls: exact, since no part of it has a fraction.
local function debt_of(key, calls)
  local at, rest = string.match(redis.call("GET", key) or "", "^(%d+) (%d+)$")
  return at and math.max((tonumber(at) - now()) * calls + tonumber(rest), 0) or 0
end

function OPERATIONS.pace.look(k, a)
  local calls, per, burst = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local debt, count = debt_of(KEYS[k], calls), tonumber(ARGV[a + 5])
  local used, spare = math.ceil(debt / per), (burst - count) * per - debt
  if spare >= 0 then
    note(a, used, burst - used, burst, now() + math.ceil(debt / calls), "0")
  else
    note(a, used, 0, burst, count > burst and 0 or now() + math.ceil(-spare / calls), "1")
  end
end

function OPERATIONS.pace.charge(k, a, place)
  local calls, per, burst = tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3]), tonumber(ARGV[a + 4])
  local debt = debt_of(KEYS[k], calls)
  if is_over(place) and not is_counted_over(a) then
    return nil
  end
  debt = debt + tonumber(ARGV[a + 5]) * per
  local at = now() + math.floor(debt / calls)
  redis.call("SET", KEYS[k], whole(at) .. " " .. whole(debt % calls), "PX", whole(at - now() + margin))
  return math.ceil(debt / per), burst - math.ceil(debt / per)
end

OPERATIONS.member = {keys = 1, arguments = 6}

-- Since when members count: their scores are above it.
local function members_since(a)
  return ARGV[a + 4] == "-1" and "(" .. whole(now() - tonumber(ARGV[a + 5])) or "-inf"
end

local function new_members(k, a)
  local since, values = members_since(a), {}
  for value in string.gmatch(ARGV[a + 2], "%S+") do
    local last = redis.call("ZSCORE", KEYS[k], value)
    if not last or (since ~= "-inf" and tonumber(last) <= tonumber(string.sub(since, 2))) then
      values[#values + 1] = value
    end
  end
  return values
end

function OPERATIONS.member.look(k, a)
  local most, since = tonumber(ARGV[a + 3]), members_since(a)
  local used, more = redis.call("ZCOUNT", KEYS[k], since, "+inf"), #new_members(k, a)
  local ends = tonumber(ARGV[a + 5])
  local is_rolling = since ~= "-inf"
  if used + more <= most or more == 0 then
    return note(a, used, most - used, most, is_rolling and now() + ends or ends, "0", not is_rolling and ends or nil)
  end
  local resets_at = 0
  if more <= most then
    resets_at = ends
    if is_rolling then
      local last = redis.call("ZRANGEBYSCORE", KEYS[k], since, "+inf", "WITHSCORES", "LIMIT", used + more - most - 1, 1)
      resets_at = tonumber(last[2]) + ends
    end
  end
  note(a, used, most - used, most, resets_at, "1")
end

function OPERATIONS.member.charge(k, a, place)
  if is_over(place) and not is_counted_over(a) then
    return nil
  end
  local since, ends, most = members_since(a), tonumber(ARGV[a + 5]), tonumber(ARGV[a + 3])
  if since ~= "-inf" then
    redis.call("ZREMRANGEBYSCORE", KEYS[k], "-inf", string.sub(since, 2))
  end
  for value in string.gmatch(ARGV[a + 2], "%S+") do
    local last = tonumber(redis.call("ZSCORE", KEYS[k], value) or "0")
    redis.call("ZADD", KEYS[k], whole(math.max(last, now())), value)
  end
  redis.call("PEXPIRE", KEYS[k], since == "-inf" and life_until(ends) or whole(ends + margin))
  local used = redis.call("ZCARD", KEYS[k])
  return used, most - used
end

OPERATIONS.slot = {keys = 1, arguments = 4}

function OPERATIONS.slot.look(k, a)
  local most, since = tonumber(ARGV[a + 2]), "(" .. whole(now())
  local used = redis.call("ZCOUNT", KEYS[k], since, "+inf")
  if used < most then
    return note(a, used, most - used, most, now() + tonumber(ARGV[a + 3]), "0")
  end
  local first = redis.call("ZRANGEBYSCORE", KEYS[k], since, "+inf", "WITHSCORES", "LIMIT", used - most, 1)
  note(a, used, most - used, most, tonumber(first[2]), "1")
end

function OPERATIONS.slot.charge(k, a, place)
  if is_over(place) and not is_counted_over(a) then
    return nil
  end
  local life, most = tonumber(ARGV[a + 3]), tonumber(ARGV[a + 2])
  redis.call("ZREMRANGEBYSCORE", KEYS[k], "-inf", whole(now()))
  redis.call("ZADD", KEYS[k], whole(now() + life), decision_id)
  keep_for(KEYS[k], life)
  reserved[#reserved + 1] = "slot " .. KEYS[k]
  local used = redis.call("ZCARD", KEYS[k])
  return used, most - used
end

OPERATIONS.marks = {keys = 1, arguments = 8}

function OPERATIONS.marks.look(k, a)
  local required, missing, resets_at = 0, 0, 0
  for name in string.gmatch(ARGV[a + 5], "%S+") do
    required = required + 1
    if now() >= tonumber(redis.call("ZSCORE", KEYS[k], ARGV[a + 2] .. "/" .. name) or "0") then
      missing = missing + 1
    end
  end
  for name in string.gmatch(ARGV[a + 6], "%S+") do
    resets_at = math.max(resets_at, tonumber(redis.call("ZSCORE", KEYS[k], ARGV[a + 3] .. "/" .. name) or "0"))
  end
  if missing > 0 then
    return note(a, required - missing, missing, required, 0, "2")
  end
  if resets_at > now() then
    return note(a, required, 0, required, resets_at, "3")
  end
  if ARGV[a + 4] ~= "" and redis.call("ZCARD", KEYS[k]) >= MOST_FLAGS then
    redis.call("ZREMRANGEBYSCORE", KEYS[k], "-inf", whole(now()))
    if redis.call("ZCARD", KEYS[k]) >= MOST_FLAGS then
      local first = redis.call("ZRANGE", KEYS[k], 0, 0, "WITHSCORES")
      return note(a, MOST_FLAGS, 0, MOST_FLAGS, tonumber(first[2]), "1")
    end
  end
  note(a, required, 0, required, 0, "0")
end

function OPERATIONS.marks.charge(k, a, place)
  if ARGV[a + 4] == "" or (is_over(place) and not is_counted_over(a) and string.sub(accounts[place], -1) == "1") then
    return nil
  end
  local life = tonumber(ARGV[a + 7])
  redis.call("ZREMRANGEBYSCORE", KEYS[k], "-inf", whole(now()))
  for name in string.gmatch(ARGV[a + 4], "%S+") do
    for _, session in ipairs({ARGV[a + 2], ARGV[a + 3], ""}) do
      local member = session .. "/" .. name
      local until_ = tonumber(redis.call("ZSCORE", KEYS[k], member) or "0")
      redis.call("ZADD", KEYS[k], whole(math.max(until_, now() + life)), member)
    end
  end
  keep_for(KEYS[k], life)
  return nil
end

OPERATIONS.tally = {keys = 3, arguments = 6}

-- Counts a refusal, and quarantines the agent when it is one too many.
function OPERATIONS.tally.write(k, a)
  local within, quarantine, trips = tonumber(ARGV[a + 4]), tonumber(ARGV[a + 5]), false
  margin = 0
  for place = 0, 1 do
    local most = tonumber(ARGV[a + 1 + place])
    if most > 0 and (place == 0 or ARGV[a + 3] == "1") then
      add_to_bucket(KEYS[k + place], within, 1)
      local _, used = buckets_of(KEYS[k + place], within)
      trips = trips or used >= most
    end
  end
  if trips then
    local until_ = math.max(now() + quarantine, quarantined_until())
    redis.call("DEL", KEYS[k], KEYS[k + 1])
    redis.call("ZREMRANGEBYSCORE", KEYS[4], "-inf", whole(now()))
    redis.call("ZADD", KEYS[4], whole(until_), ARGV[3])
    redis.call("PEXPIRE", KEYS[4], whole(math.max(until_ - now(), redis.call("PTTL", KEYS[4]))))
    redis.call("SET", KEYS[k + 2], whole(now()) .. " " .. ARGV[a], "PX", whole(until_ - now()))
  end
end
