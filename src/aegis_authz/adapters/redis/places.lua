-- Finds the places of every index between two moments; of an index that is spoilt there are none.
--
-- KEYS  the indexes
-- ARGV  1 since, ms   2 until, ms   3 the most of each

local found = {}
for at, index in ipairs(KEYS) do
  local places = redis.pcall("ZRANGEBYSCORE", index, ARGV[1], ARGV[2], "WITHSCORES", "LIMIT", 0, ARGV[3])
  found[at] = places.err and {} or places
end
return found
