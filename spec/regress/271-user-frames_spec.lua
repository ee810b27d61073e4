-- A traceback showed frames of the engine's own parts, and the main task as
-- "started at C".
local rille = require "rille"
local helper = require "spec.helper"

local function lines_of(name, text)
  local lines = {}
  for line in text:gmatch "\n\t([^\n]*)" do lines[#lines + 1] = line end
  for _, line in ipairs(lines) do
    assert.is_nil(line:find "^rille%.%l+:", name .. ":\n" .. text)
    assert.is_nil(line:find "'xpcall'", name .. ":\n" .. text)
  end
  return lines
end

local function oops() error "oops" end

describe("a traceback", function()
  local calls = {
    timeout = function() rille.timeout(1, oops) end,
    shield = function() rille.shield(oops) end,
    scope = function() rille.scope(oops) end,
    retry = function() error((select(2, rille.retry({ max_retries = 0 }, oops))), 0) end,
    each = function() error((select(2, rille.stream { 1 }:each(oops))), 0) end,
  }
  for name, call in pairs(calls) do
    it("of a failure within " .. name .. " has the user's frames alone", function()
      helper.run(function()
        local task = rille.root():task(function() call() end)
        task:await()
        assert.matches("271%-user%-frames_spec.lua:16: in ", lines_of(name, task:traceback())[2])
      end)
    end)
  end

  it("of a task that waits has the user's frames alone", function()
    helper.run(function()
      local task = helper.start(function() rille.timeout(1, rille.sleep, 9) end)
      local lines = lines_of("sleep", task:traceback())
      assert.equal("[C]: in function 'rille.sleep'", lines[1])
    end)
  end)
end)

describe("a script with a name like a part's", function()
  it("is blamed for its mistakes", function()
    for _, name in ipairs { "rille.lua", "rille.own.lua" } do
      local fn = assert(load("local rille = ... rille.sleep 'x'", "@" .. name))
      assert.equal(name .. ":1: bad argument #1 to 'sleep' (a number of seconds expected, got 'x')",
        helper.raises(function() fn(rille) end))
    end
  end)

  it("has its frames in a traceback", function()
    for _, name in ipairs { "rille.lua", "rille.own.lua" } do
      helper.run(function()
        local fn = assert(load("error 'oops'", "@" .. name))
        local task = rille.root():task(function() fn() end)
        task:await()
        assert.truthy(task:traceback():find("\t" .. name .. ":1: ", 1, true))
      end)
    end
  end)
end)

describe("a task that is started by pcall", function()
  it("knows where", function()
    helper.run(function()
      local _, task = pcall(rille.root().go, rille.root(), function() end)
      assert.matches("started at spec/regress/271%-user%-frames_spec.lua:%d+", task:traceback())
    end)
  end)
end)

describe("the report of the binary", function()
  local function report(code)
    local pipe <close> = assert(io.popen(("%s -e '%s' 2>&1"):format(
      os.getenv "RILLE_BINARY", code)))
    return pipe:read "a"
  end

  it("does not say where C has started the main task", function()
    assert.equal("rille: (command line):1: oops\n  in main\nstack traceback:\n"
      .. "\t[C]: in function 'error'\n\t(command line):1: in main chunk\n\t[C]: in ?\n",
      report [[error "oops"]])
  end)
end)

describe("a line of the REPL", function()
  it("that fails in a block shows where", function()
    local pipe <close> = assert(io.popen(
      "printf 'function f() error\"oops\" end\\nrille.timeout(1, f)\\n' | RILLE_HISTORY= "
      .. os.getenv "RILLE_BINARY" .. " -i 2>&1"))
    assert.matches("stdin:1: oops\nstack traceback:\n\t%[C%]: in function 'error'\n"
      .. "\tstdin:1: in function 'f'\n", pipe:read "a")
  end)
end)
