-- Places that an answer names, written as agents call them. The tool's own place becomes the address that the agent
-- called; a header that names another place inside is taken off, and x-aegis-withheld says so. It must hold for whatever
-- a tool writes: what is not read for sure is taken off.

local NAMESPACE_TOOL, NAMESPACE_INSIDE = "tool", "inside"
local MOST = 8192 -- bytes of a value that is read at all

local INSIDE_SUFFIXES = {
  "%.local$", "%.localhost$", "%.internal$", "%.intranet$", "%.lan$", "%.corp$", "%.home$", "%.private$",
  "%.localdomain$", "%.svc$", "%.home%.arpa$",
}

-- Is a host, lower case and without brackets, one that agents have no business with?
local function is_inside(host, inside)
  if host == "" or inside[host] then return true end
  if string.find(host, ":", 1, true) then -- IPv6: global unicast is 2000::/3
    return not string.find(host, "^[23]%x%x%x:")
  end
  local first, second, third, fourth = string.match(host, "^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
  if first then
    for _, part in ipairs({ first, second, third, fourth }) do
      if #part > 3 or (#part > 1 and string.sub(part, 1, 1) == "0") or tonumber(part) > 255 then return true end
    end
    first, second = tonumber(first), tonumber(second)
    return first == 0 or first == 10 or first == 127 or first >= 224
      or (first == 100 and second >= 64 and second <= 127)
      or (first == 169 and second == 254)
      or (first == 172 and second >= 16 and second <= 31)
      or (first == 192 and second == 168)
      or (first == 198 and (second == 18 or second == 19))
  end
  -- a name without a dot, and what some resolvers take for an address (2130706433, 0x7f.1, 127.1)
  local last = string.match(host, "([^.]*)$")
  if last == host or string.find(last, "^%d") or string.find(last, "^0x") then return true end
  for _, suffix in ipairs(INSIDE_SUFFIXES) do
    if string.find(host, suffix) then return true end
  end
  return string.find(host, "[^%w._-]") ~= nil
end

local function decoded(text)
  return (string.gsub(text, "%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- Does a text, lower case, hold the tool's place?
local function holds_place(text, tool)
  if string.find(text, tool.host .. ":" .. tool.port, 1, true) then return true end
  if tool.host == tool.called_host then return false end
  if string.find(tool.host, "[.:]") then return string.find(text, tool.host, 1, true) ~= nil end
  local from = 1
  while true do
    local start, stop = string.find(text, tool.host, from, true)
    if not start then return false end
    local before, after = string.sub(text, start - 1, start - 1), string.sub(text, stop + 1, stop + 1)
    if not string.find(before, "[%w.-]") and not string.find(after, "[%w-]") then return true end
    from = start + 1
  end
end

-- The same for a text as it is, or once its escapes are read up to three times.
local function names_place(text, tool)
  for _ = 0, 3 do
    if holds_place(string.lower(text), tool) then return true end
    local plain = decoded(text)
    if plain == text then return false end
    text = plain
  end
  return false
end

-- The authority of a URL as host and port; nil when it is not read for sure.
local function read_authority(authority, scheme)
  if string.find(authority, "[@%%\\%s]") then return nil end
  local host, port = string.match(authority, "^%[([%x:.]+)%](.*)$")
  if not host then host, port = string.match(authority, "^([^:%[%]]*)(.*)$") end
  if not host then return nil end
  local digits = string.match(port, "^:(%d*)$")
  if port ~= "" and not digits then return nil end
  if not digits or digits == "" then digits = scheme == "https" and "443" or "80" end
  return string.gsub(string.lower(host), "%.$", ""), string.gsub(digits, "^0+(%d)", "%1")
end

-- A URL as the agent may read it, nil when it may not.
local function rewritten(url, tool, inside)
  url = string.match(url, "^%s*(.-)%s*$")
  if #url > MOST or string.find(url, "[%c\\]") then return nil end
  local scheme, rest = string.match(url, "^([%a][%w+.-]*):(.*)$")
  if scheme then
    scheme = string.lower(scheme)
    if scheme ~= "http" and scheme ~= "https" then
      local other = string.match(rest, "^//([^/?#]*)")
      local host = other and other ~= "" and read_authority(other, scheme)
      if other and other ~= "" and (not host or (string.find(host, "[.:]") and is_inside(host, inside))) then return nil end
      return not names_place(url, tool) and url or nil
    end
  else
    rest, scheme = url, tool.scheme
  end
  local authority, path = string.match(rest, "^//([^/?#]*)(.*)$")
  if not authority then
    if rest ~= url then return nil end -- http:/x and http:x lead to unlike places in unlike readers
    if names_place(url, tool) then return nil end
    return string.sub(url, 1, 1) == "/" and tool.prefix .. url or url
  end
  local host, port = read_authority(authority, scheme)
  if not host then return nil end
  local is_called = host == tool.called_host
    and (port == tool.called_port or (tool.called_port == "80" and port == "443")
      or (tool.called_port == "443" and port == "80"))
  if is_called or (host == tool.host and port == tool.port) then
    if names_place(path, tool) then return nil end
    if tool.prefix == "" then return tool.called_scheme .. "://" .. tool.called .. path end
    if string.sub(path, 1, 1) ~= "/" then path = "/" .. path end
    return tool.prefix .. path
  end
  if is_inside(host, inside) or names_place(url, tool) then return nil end
  return url
end

local function refreshed(value, tool, inside)
  if string.find(value, "^%s*[%d.]*%s*$") then return value end
  local start, url = string.match(value, "^(%s*[%d.]+%s*[;,]%s*[uU][rR][lL]%s*=%s*)(.*)$")
  if not start then return nil end
  local quote, quoted = string.match(url, "^([\"'])(.*)%1%s*$")
  local place = rewritten(quoted or url, tool, inside)
  if not place or string.find(place, "[\"']") then return nil end
  return start .. (quote or "") .. place .. (quote or "")
end

local function linked(value, tool, inside)
  if #value > MOST then return nil end
  local is_whole = true
  local text = string.gsub(value, "<([^<>]*)>", function(url)
    local place = rewritten(url, tool, inside)
    if not place then is_whole = false end
    return "<" .. (place or "") .. ">"
  end)
  if not is_whole or names_place(text, tool) then return nil end
  return text
end

local READERS = {
  ["location"] = rewritten,
  ["content-location"] = rewritten,
  ["refresh"] = refreshed,
  ["link"] = linked,
}

-- The values of a header as the agent may read them, nil when one of them may not be read.
local function readable(headers, name, tool, inside)
  local values, count = {}, headers:getNumValues(name)
  if count > 1 and name ~= "link" then return nil end
  for index = 0, count - 1 do
    local value = READERS[name](headers:getAtIndex(name, index), tool, inside)
    if not value then return nil end
    values[#values + 1] = value
  end
  return values
end

function envoy_on_response(handle)
  local headers = handle:headers()
  headers:remove("alt-svc") -- leads around the proxy
  local names = {}
  for name in pairs(READERS) do
    if headers:get(name) ~= nil then names[#names + 1] = name end
  end
  if #names == 0 then return end
  table.sort(names)
  local tool, inside
  pcall(function() -- a script that fails lets the answer pass as it is
    tool = handle:metadata():get(NAMESPACE_TOOL)
    inside = handle:filterContext():get(NAMESPACE_INSIDE) or {}
  end)
  for _, name in ipairs(names) do
    local is_read, values = pcall(function() return inside and tool and readable(headers, name, tool, inside) end)
    headers:remove(name)
    if is_read and values then
      for _, value in ipairs(values) do headers:add(name, value) end
    else
      headers:add("x-aegis-withheld", name)
    end
  end
end
