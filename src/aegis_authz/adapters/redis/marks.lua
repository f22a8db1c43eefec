-- Part of begin.lua and settle.lua.
--
-- The memory of a partition begins again in another life of its server: what was marked as whole in an older one is not whole
-- any more, and must not become so again when the slot comes back to a server that still lives the life of the mark.
--
-- The marks are those of keys.py, of the same slot as the epoch.
local function forget_marks(epoch_key, life)
  for _, name in ipairs({"counted", "told"}) do
    local key = string.gsub(epoch_key, "epoch$", name)
    local mark = redis.call("GET", key)
    if mark and mark ~= life then
      redis.call("DEL", key)
    end
  end
end

-- Whether this is the life that the server is in: wire.py says what makes one. Asked only where something would begin anew, for a
-- caller that has yet to see that the server was started again, or took over, would undo what others have begun since.
local function is_lived(life)
  local run = string.match(redis.call("INFO", "server"), "run_id:(%x+)")
  local history = string.match(redis.call("INFO", "replication"), "master_replid:(%x+)")
  return life == (run or "") .. (history or "")
end

local function of_another_life()
  return redis.error_reply("STALE the server is another, or has another role")
end
