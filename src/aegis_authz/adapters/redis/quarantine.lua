-- Quarantines an agent by an operator's word, atomically.
--
-- KEYS  1 quarantined agents, by until when, ms   2 why this one is
-- ARGV  1 agent scope   2 until, ms   3 why   4 for how long, ms

redis.call("ZADD", KEYS[1], ARGV[2], ARGV[1])
redis.call("SET", KEYS[2], ARGV[3], "PX", ARGV[4])
-- the key of all lives as long as the last of them
if redis.call("PTTL", KEYS[1]) < tonumber(ARGV[4]) then
  redis.call("PEXPIRE", KEYS[1], ARGV[4])
end
return 1
