-- Lets a quarantined agent go, atomically. Answers until when it was quarantined, ms, or false.
--
-- KEYS  1 quarantined agents, by until when, ms   2 why this one is
-- ARGV  1 agent scope

local until_ = redis.call("ZSCORE", KEYS[1], ARGV[1])
redis.call("ZREM", KEYS[1], ARGV[1])
redis.call("DEL", KEYS[2])
return until_
