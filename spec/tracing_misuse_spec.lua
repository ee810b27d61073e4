-- Tracers that do what they should not, and options that are wrong.
local rille = require "rille"
local helper = require "spec.helper"
local tracing = require "spec.tracing_helper"

local function nothing() end

-- A program with scopes, tasks and events; returns what it comes to.
local function program(tracer)
  return helper.run({ tracer = tracer }, function()
    return rille.scope(function(s)
      s:go(rille.sleep, 1)
      rille.timeout(1, rille.sleep, 2)
      return s:task(function() return 42 end):await()
    end)
  end)
end

-- A tracer in which `method` does fn().
local function with(method, fn)
  local tracer = tracing.tracer()
  local start = tracer.start_span
  if method == "start_span" then return { start_span = fn } end
  function tracer:start_span(...)
    local span = start(self, ...)
    span[method] = fn
    return span
  end
  return tracer
end

describe("a tracer", function()
  for _, method in ipairs { "start_span", "set_attribute", "add_event", "set_status", "finish" } do
    it("that raises in " .. method .. " does not break the program", function()
      assert.are.equal(42, program(with(method, function() error "boom" end)))
    end)

    it("that waits in " .. method .. " is refused", function()
      local refused
      assert.are.equal(42, program(with(method, function()
        local ok = pcall(rille.sleep, 1)
        refused = refused or not ok
      end)))
      if method ~= "set_status" then assert.is_true(refused) end
    end)
  end

  it("that returns no span goes without", function()
    assert.are.equal(42, program { start_span = nothing })
  end)

  it("that returns nonsense does not break the program", function()
    assert.are.equal(42, program { start_span = function() return 7 end })
  end)

  it("that raises is warned of once", function()
    local _, warnings = helper.warnings [[
      rille.scope({tracer = {start_span = function() error("boom", 0) end}}, function(s)
        for _ = 1, 3 do s:go(rille.sleep, 1) end
      end)]]:gsub("a tracer raised: boom", "")
    assert.are.equal(1, warnings)
  end)

  it("may start tasks, which are not traced", function()
    local tracer, ran = tracing.tracer(), 0
    local start = tracer.start_span
    function tracer:start_span(...)
      if rille.root() then rille.root():go(function() ran = ran + 1 end) end
      return start(self, ...)
    end
    helper.run(function() rille.scope({ tracer = tracer }, nothing) end)
    assert.are.equal("1 scope", ran .. " " .. tracing.tree(tracer))
  end)
end)

describe("the options of tracing", function()
  local function raises(pattern, opts, fn)
    helper.run(function()
      helper.raises(function() (fn or rille.scope)(opts, nothing) end, pattern)
    end)
  end

  it("must be a tracer", function()
    raises("option 'tracer': a tracer: a table with start_span or false expected", { tracer = {} })
  end)

  it("have names", function()
    raises("option 'otel': unknown option 'nam'; did you mean 'name'", { otel = { nam = "x" } })
    raises("option 'otel': option 'kind'", { otel = { kind = "x" } })
  end)

  it("are checked of tasks, traced or not", function()
    local function go(opts) rille.root():go(opts, nothing) end
    local function task(opts) rille.root():task(nothing, opts) end
    raises("bad argument #1 to 'go' %(option 'otel': option 'name': a string",
      { otel = { name = 1 } }, go)
    raises("bad argument #2 to 'task' %(option 'otel': unknown option", { otel = { x = 1 } }, task)
    raises("option 'otel': table expected", { otel = 1 }, go)
  end)
end)

describe("an end by force", function()
  it("ends the span of a task that swallows its cancellations", function()
    local tracer = tracing.tracer()
    pcall(helper.run, { tracer = tracer }, function()
      local t = rille.root():task(function()
        while true do pcall(rille.sleep, 1) end
      end)
      rille.sleep(1)
      t:cancel()
      t:await()
    end)
    assert.are.equal(1, tracer[2].finished)
    assert.are.equal("error", tracer[2].status)
  end)

  it("ends spans when the program is in a deadlock", function()
    local tracer = tracing.tracer()
    pcall(helper.run, { tracer = tracer }, function() rille.channel():recv() end)
    assert.are.equal("deadlock", tracer[1].attributes["error.type"])
    assert.are.equal(1, tracer[1].finished)
  end)

  it("ends every span, wherever a task is cancelled", function()
    for at = 0, 12 do
      local tracer = tracing.tracer()
      helper.run(function()
        local t = rille.root():task(function()
          rille.scope({ tracer = tracer }, function(s)
            s:go(function() rille.scope({ name = "x" }, function() rille.sleep(3) end) end)
            s:defer(rille.sleep, 1)
            s:task(rille.yield):await()
            rille.timeout(2, rille.sleep, 4)
          end)
        end)
        for _ = 1, at do rille.sleep(0.5) end
        t:cancel()
      end)
      assert.are.equal(#tracer, #tracer.ended)
    end
  end)
end)
