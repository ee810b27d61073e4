-- Runs an example and compares what it prints with what it says it prints.
--
--   lua5.4 scripts/examples_check.lua PROGRAM FILE
--
-- FILE.lua is run by PROGRAM; FILE.c is the source of PROGRAM itself. Comment
-- lines of FILE, each on a line of its own, say what is expected:
--
--   -- expect: TEXT     the next line of the standard output, exactly
--   -- expect~: PATTERN the next line, all of it, as a Lua pattern
--   -- status: N        the exit status (0 without this line)
--   -- args: ...        arguments, as a shell splits them
--   -- options: ...     options of the binary, before the script
--
-- In C the same inside /* */. An example that expects nothing is a failure:
-- it would pass whatever it did. So is a line that only looks like these.

local KEYS = {
  ["expect:"] = true, ["expect~:"] = true, ["status:"] = true, ["args:"] = true,
  ["options:"] = true,
}

local function fail(format, ...)
  io.stderr:write("examples_check: ", format:format(...), "\n")
  os.exit(1)
end

-- The key and the text of a comment line, or nil for any other line.
local function parse_line(line, is_c)
  local text
  if is_c then
    text = line:match("^%s*/%*%s*(.-)%s*%*/%s*$")
  else
    text = line:match("^%s*%-%-%s*(.*)$")
  end
  if not text then return nil end
  local key, rest = text:match("^(%l+~?:) ?(.*)$")
  if KEYS[key] then return key, rest end
  if text:match("^[Ee]xpect%w*%s*~?%s*:") then return "?", text end
  return nil
end

local function read_expectations(path)
  local want = { lines = {}, status = 0, args = "", options = "" }
  local number = 0
  for line in io.lines(path) do
    number = number + 1
    local key, text = parse_line(line, path:match("%.c$"))
    if key == "?" then
      fail("%s:%d: not an expectation: %s", path, number, text)
    elseif key == "expect:" or key == "expect~:" then
      want.lines[#want.lines + 1] =
        { text = text, number = number, pattern = key == "expect~:" }
    elseif key == "status:" then
      want.status = math.tointeger(tonumber(text))
        or fail("%s:%d: not a status: %s", path, number, text)
    elseif key then
      local field = key:sub(1, -2)
      want[field] = want[field] .. " " .. text
    end
  end
  return want
end

local function quote(word)
  return "'" .. word:gsub("'", [['\'']]) .. "'"
end

-- The lines of the standard output and the exit status, a signal as 128 + n.
local function run(program, path, want)
  local script = path:match("%.c$") and "" or quote(path)
  local command = table.concat(
    { "exec", quote(program), want.options, script, want.args, "</dev/null" }, " ")
  local pipe <close> = assert(io.popen(command))
  local lines = {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  local _, how, code = pipe:close()
  return lines, how == "signal" and code + 128 or code
end

local function matches(expected, line)
  if expected.pattern then
    return line:match("^" .. expected.text .. "$") ~= nil
  end
  return line == expected.text
end

-- The first difference, in words, or nil.
local function compare(want, lines, status, path)
  for i, expected in ipairs(want.lines) do
    local line = lines[i]
    if line == nil or not matches(expected, line) then
      return ("%s:%d: output line %d\n  expected%s %s\n  got       %s"):format(
        path, expected.number, i, expected.pattern and "~" or " ",
        expected.text, line or "(end of output)")
    end
  end
  if #lines > #want.lines then
    return ("%s: output line %d was not expected\n  got       %s"):format(
      path, #want.lines + 1, lines[#want.lines + 1])
  end
  if status ~= want.status then
    return ("%s: exit status %d, expected %d"):format(path, status, want.status)
  end
  return nil
end

local program, path = ...
if not path then
  fail("usage: examples_check.lua PROGRAM FILE")
end
local want = read_expectations(path)
if #want.lines == 0 then
  fail("%s: no expect line", path)
end
local lines, status = run(program, path, want)
local difference = compare(want, lines, status, path)
if difference then
  io.stderr:write(difference, "\n\nall of the output:\n",
    table.concat(lines, "\n"), "\n")
  os.exit(1)
end
print(("%d lines as expected, status %d"):format(#lines, status))
