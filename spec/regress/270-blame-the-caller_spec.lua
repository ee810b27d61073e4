-- A misuse that was found behind a part written in Lua named a line and a
-- function of that part.
local rille = require "rille"
local helper = require "spec.helper"

local OURS = "rille%.%a+:%d+"
local HERE = "^[^:]*270%-blame%-the%-caller_spec%.lua:%d+: "

local function refused(fn, text)
  local err = helper.raises(fn)
  assert.equal("string", type(err))
  assert.matches(HERE, err)
  assert.is_nil(err:find(OURS), err)
  assert.truthy(err:find(text, 1, true), err)
end

describe("a wait outside a task", function()
  for name, call in pairs {
    scope = function() rille.scope(print) end,
    timeout = function() rille.timeout(1, print) end,
    shield = function() rille.shield(print) end,
    retry = function() rille.retry({}, print) end,
    hedge = function() rille.hedge({ delay = 1 }, print) end,
    supervise = function() rille.supervise(print) end,
    stream = function() rille.stream { 1 }:collect() end,
    once = function() rille.once(print)() end,
    cache = function() rille.cache():get(1, print) end,
    debounce = function() rille.debounce(print)() end,
  } do
    it("is blamed on the caller of " .. name, function()
      refused(function() call() end, "not inside a task")
    end)
  end
end)

describe("a wrong receiver", function()
  local calls = {
    channel = function(s) s.channel(5) end,
    broadcast = function(s) s.broadcast(5) end,
    event_bus = function(s) s.event_bus(5) end,
    defer = function(s) s.defer(5, print) end,
    close = function(s) s.close(5) end,
    provide = function(s) s.provide(5, "db", print) end,
    use = function(s) s.use(5, "db") end,
    has = function(s) s.has(5, "db") end,
    poll = function(s) s.poll(5, print, nil, { interval = 1 }) end,
    stream = function(s) s.stream(5, {}) end,
    on_shutdown = function(s) s.on_shutdown(5, print) end,
    race = function(s) s.race(5, { print }) end,
    start = function(s) s:poll(print, nil, { interval = 1 }).start(5) end,
    reduce = function() rille.stream({}).reduce(5, print) end,
  }
  for name, call in pairs(calls) do
    it("of " .. name .. " is told by that name", function()
      helper.run(function()
        rille.scope(function(s)
          refused(function() call(s) end, ("calling '%s' on bad self"):format(name))
        end)
      end)
    end)
  end

  it("that is missing is told to be missing", function()
    refused(function() rille.channel().send() end, "got no value")
  end)

  it("is told by name where the call has none", function()
    refused(function() return (pcall(error)) or rille.semaphore(1).release(nil) end, "'release'")
    local ok, err = pcall(rille.channel(1).send, rille.channel(1))
    assert.is_false(ok)
    assert.matches("bad argument #2 to 'send'", err)
  end)
end)

describe("the text of a misuse", function()
  it("is short, whatever the value is", function()
    local long = ("n"):rep(100000)
    for _, fn in pairs {
      function() rille.timeout(long, print) end,
      function() rille.breaker { [long] = 1 } end,
      function() rille.channel(0, { [long] = 1 }) end,
      function() rille.channel(0, { overflow = long }) end,
      function() rille.sleep(long) end,
    } do
      assert.is_true(#helper.raises(fn) < 400)
    end
  end)

  it("shows the value", function()
    refused(function() rille.channel("3") end, "number expected, got '3'")
    refused(function() rille.semaphore(1):acquire(-1) end, "got -1")
    refused(function() rille.event_bus { buffer = true } end, "got true")
    refused(function() rille.sleep(rille.channel()) end, "got rille.channel")
  end)

  it("of dump tells what a file is not", function()
    refused(function() rille.dump(5) end, "#1 to 'dump' (file expected, got 5)")
  end)
end)

describe("a dump", function()
  it("counts one task as one", function()
    helper.run(function()
      rille.scope(function(s)
        s:go({ daemon = true }, rille.sleep, 9)
        rille.yield()
        assert.matches("%(1 task%)", rille.dump())
      end)
    end)
  end)
end)
