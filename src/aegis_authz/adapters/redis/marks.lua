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
