-- The log statistics example as its user sees it: the program is run on files
-- made here, whose counts are known.
local uv = require "luv"

local binary = os.getenv("RILLE_BINARY") or "build/rille"
local script = "scripts/examples/logstat.lua"

local LINES = 1000000
local LEVELS = { "INFO", "Warn", "ERROR", "debug", "info" }

local directory

local function path_of(name) return directory .. "/" .. name end

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read("a")
end

local function write(name, ...)
  local file <close> = assert(io.open(path_of(name), "wb"))
  file:write(...)
  return path_of(name)
end

local function quote(word) return "'" .. word:gsub("'", [['\'']]) .. "'" end

-- Runs logstat; returns what it printed, its complaints and its exit status.
local function logstat(...)
  local words = {}
  for i, word in ipairs { binary, script, ... } do words[i] = quote(word) end
  local _, how, status = os.execute(("exec %s </dev/null >%s 2>%s"):format(
    table.concat(words, " "), quote(path_of("out")), quote(path_of("err"))))
  assert.equal("exit", how)
  return read(path_of("out")), read(path_of("err")), status
end

-- The table of totals: name of the file -> name of the column -> number.
local function totals(output)
  local list, header = {}, {}
  local first, rows = (output .. "\n\n"):match("^(.-)\n(.-)\n\n")
  for name in first:gmatch("%S+") do header[#header + 1] = name end
  for line in rows:gmatch("[^\n]+") do
    local name = line:match("([^/]+)$"):gsub("^[%d ]+", "")
    list[name] = {}
    local numbers = line:gmatch("%d+")
    for column = 1, #header - 1 do list[name][header[column]] = tonumber(numbers()) end
  end
  return list
end

-- How often the word stands in the list of top words.
local function count_of(output, word)
  return tonumber(output:match("\n *(%d+)  " .. word .. "\n"))
end

-- 1,000,000 lines, repeating every 1000: the level of a line is its number
-- modulo 5, the worker its number modulo 8.
local function write_million_lines()
  local block = {}
  for i = 1, 1000 do
    block[i] = ("2026-11-21T10:%02d:%02d %s worker_%d request took %d ms\n"):format(
      i // 60, i % 60, LEVELS[i % 5 + 1], i % 8, i % 977)
  end
  local text = table.concat(block)
  local file <close> = assert(io.open(path_of("million.log"), "wb"))
  for _ = 1, LINES // 1000 do file:write(text) end
  return path_of("million.log"), #text * (LINES // 1000)
end

describe("logstat", function()
  setup(function() directory = assert(uv.fs_mkdtemp("/tmp/logstat_XXXXXX")) end)

  teardown(function()
    local names = assert(uv.fs_scandir(directory))
    for name in uv.fs_scandir_next, names do os.remove(path_of(name)) end
    os.remove(directory)
  end)

  describe("on a file of 1,000,000 lines", function()
    local output, err, status, bytes, all

    setup(function()
      local path
      path, bytes = write_million_lines()
      output, err, status = logstat(path, "--top", "20")
      all = totals(output)["million.log"]
    end)

    it("succeeds in silence", function() assert.same({ "", 0 }, { err, status }) end)

    it("counts the lines and the bytes", function()
      assert.same({ LINES, bytes }, { all.lines, all.bytes })
    end)

    it("counts the levels, in capitals or not", function()
      assert.same({ 200000, 200000, 400000, 200000 },
        { all.ERROR, all.WARN, all.INFO, all.DEBUG })
    end)

    it("counts the words", function()
      assert.same({ LINES, LINES, LINES, 125000, 200000 }, {
        count_of(output, "request"), count_of(output, "took"), count_of(output, "ms"),
        count_of(output, "worker_3"), count_of(output, "info"),
      })
    end)

    it("counts the same with one task of each kind", function()
      assert.equal(output, (logstat("--jobs=1", "--top=20", path_of("million.log"))))
    end)
  end)

  describe("with a missing file", function()
    local output, err, status

    setup(function()
      output, err, status = logstat(write("a.log", "one\n"), path_of("none.log"),
        write("b.log", "two\nthree\n"))
    end)

    it("says so in one line", function()
      assert.equal("logstat: " .. path_of("none.log") .. ": no such file or directory\n", err)
    end)

    it("ends with status 1", function() assert.equal(1, status) end)

    it("counts the other files", function()
      local list = totals(output)
      assert.same({ 1, 2, 3 },
        { list["a.log"].lines, list["b.log"].lines, list["in all, 2 files"].lines })
    end)
  end)

  it("counts an empty file", function()
    local output, err, status = logstat(write("empty.log"), write("a.log", "one\n"))
    assert.same({ lines = 0, bytes = 0 }, totals(output)["empty.log"])
    assert.same({ "", 0 }, { err, status })
  end)

  it("counts a last line without a newline", function()
    local output = logstat(write("open.log", "one\ntwo"), write("a.log", "one\n"))
    assert.same({ lines = 2, bytes = 7 }, totals(output)["open.log"])
  end)

  it("counts lines that end with CR and LF", function()
    local output = logstat(write("crlf.log", "an error\r\nan Error\r\n"))
    assert.same({ lines = 2, bytes = 20, ERROR = 2 }, totals(output)["crlf.log"])
    assert.equal(2, count_of(output, "an"))
  end)

  it("counts a level as a whole word only", function()
    local output = logstat(write("words.log", "[error] errors ERROR_7 xerror Error: 0error\n"))
    assert.equal(2, totals(output)["words.log"].ERROR)
  end)

  it("counts words that straddle two chunks once", function()
    for shift = -7, 0 do
      local text = (" "):rep(65536 + shift) .. "straddling\nx\n"
      assert.equal(1, count_of(logstat(write("straddle.log", text)), "straddling"))
    end
  end)

  it("counts a word longer than a chunk once", function()
    local word = ("a"):rep(200000)
    local output = logstat(write("long.log", "b ", word, "\n", word, " b"))
    assert.same({ 2, 2 }, { count_of(output, word), totals(output)["long.log"].lines })
  end)

  it("skips files that are not text", function()
    local output, err, status = logstat(write("binary.log", "a\0b\n"), write("a.log", "one\n"))
    assert.is_nil(totals(output)["binary.log"])
    assert.truthy(output:find("skipped, not text: 1", 1, true))
    assert.same({ "", 0 }, { err, status })
  end)

  it("counts the files below a directory", function()
    local below = path_of("below")
    assert(uv.fs_mkdir(below, 448))
    write("below/a.log", "one\n")
    write("below/b.log", "two\n")
    local output = logstat(below)
    os.remove(below .. "/a.log")
    os.remove(below .. "/b.log")
    assert.equal(2, totals(output)["in all, 2 files"].lines)
  end)

  it("refuses an unknown option", function()
    local output, err, status = logstat("--tpo", "3")
    assert.same({ "", "logstat: unknown option '--tpo' (--help shows the usage)\n", 2 },
      { output, err, status })
  end)

  it("refuses a number that is none", function()
    for _, value in ipairs { "x", "-1", "1.5", "nan", "" } do
      local _, err, status = logstat("--top", value)
      assert.truthy(err:find("^logstat: %-%-top needs a whole number"))
      assert.equal(2, status)
    end
  end)

  it("shows its usage", function()
    local output, err, status = logstat("--help")
    assert.truthy(output:find("^usage: "))
    assert.same({ "", 0 }, { err, status })
  end)
end)
