-- Settles bare calls of one partition, which do nothing but use their tokens up, where nothing is in the way of any of them.
--
-- KEYS  1 epoch   2 revoked   3 quarantined agents   then the jti of each call
-- ARGV  1 life of this server   2 when the oldest of their tokens was issued, ms   3 their agents' scopes, a line feed between
--       4 the other marks that several may share, a line feed between   then of each call: remember the token for, ms; its token
--
-- Answers 0 when all are clear; else a list of the places of those that are replayed, counted from 1. Answers nil, and has written
-- nothing, where any of them may have to be refused for another reason: settle.lua knows which. It alone begins a memory, and it
-- knows whether the caller has yet to see that the server is another. All keys and marks are those of settle.lua.

local count = #KEYS - 3

-- @include obstacles.lua

local replayed
for key = 4, #KEYS do
  if not call("SET", KEYS[key], "1", "PX", ARGV[2 * key - 3], "NX") then
    replayed = replayed or {}
    replayed[#replayed + 1] = key - 3
  end
end
return replayed or 0
