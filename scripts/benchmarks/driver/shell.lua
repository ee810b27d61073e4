-- shell.lua - running other programs and reading what they print.

local shell = {}

function shell.quote(word)
  word = tostring(word)
  if word:find "^[%w_./:=@%%+-]+$" then return word end
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

-- {"a b", "c"} -> "'a b' c"
function shell.join(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = shell.quote(word) end
  return table.concat(quoted, " ")
end

-- The output of a command line, without the last newline; nil if it failed.
function shell.read(command)
  local pipe = assert(io.popen("{ " .. command .. "; } 2>/dev/null"))
  local text = pipe:read "a"
  if not pipe:close() then return nil end
  return (text:gsub("%s+$", ""))
end

function shell.read_file(path)
  local file <close> = io.open(path)
  return file and file:read "a"
end

-- Raises unless all of it has been written.
function shell.write_file(path, text)
  local file = assert(io.open(path, "w"))
  assert(file:write(text))
  assert(file:close())
end

-- Seconds since the machine was started: a clock that is never set.
function shell.uptime()
  return tonumber(shell.read_file("/proc/uptime"):match "^%S+")
end

return shell
