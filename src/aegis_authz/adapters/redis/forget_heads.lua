-- Forgets heads of logs that are anchored: each only as long as nothing else was reported of its log meanwhile.
--
-- KEYS  1 the heads that writers reported
-- ARGV  for each head its field and its value

for at = 1, #ARGV, 2 do
  if redis.call("HGET", KEYS[1], ARGV[at]) == ARGV[at + 1] then
    redis.call("HDEL", KEYS[1], ARGV[at])
  end
end
return #ARGV / 2
