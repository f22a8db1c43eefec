-- Notes what became of the call that an approval let through: once, whoever says it and however often.
--
-- KEYS  1 approval
-- ARGV  1 "status ended-at-ms 1", the last for whether anything was sent to the tool, else 0
--
-- Answers 1, or 0 where the approval is not used, or forgotten, or its outcome noted before. It lives as long as it would.

if redis.call("HGET", KEYS[1], "state") ~= "used" then
  return 0
end
return redis.call("HSETNX", KEYS[1], "outcome", ARGV[1])
