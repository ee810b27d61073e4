local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- Runs fn(scope) in a scope of its own.
local function scoped(fn)
  return run(function() return rille.scope(fn) end)
end

local function identity(x) return x end

-- An input without an end, and how many values were taken from it.
local function endless()
  local input = { taken = 0 }
  return setmetatable(input, { __call = function()
    input.taken = input.taken + 1
    return input.taken
  end })
end

-- A stage that passes values on and notes its cleanup.
local function noting(log, name)
  return { stream = function(input, output)
    local _ <close> = helper.closing(function() rille.sleep(1) log(name) end)
    for value in input do output:send(value) end
  end }
end

-- What was noted, whatever its order.
local function noted(log)
  local events = {}
  for event in helper.text(log):gmatch "%S+" do events[#events + 1] = event end
  table.sort(events)
  return table.concat(events, " ")
end

local function failing_at(n)
  return function(x)
    if x == n then error("bad " .. n, 0) end
    return x
  end
end

describe("a pipeline that fails", function()
  it("closes the output with the error, after the values before it", function()
    scoped(function()
      local out = rille.pipeline(identity, failing_at(3), { identity, buffer = 9 }) { 1, 2, 3, 4 }
      assert.equal(1, (out:recv()))
      assert.equal(2, (out:recv()))
      local value, err = out:recv()
      assert.is_nil(value)
      assert.equal("bad 3", err)
    end)
  end)

  it("raises it in a loop over the output", function()
    scoped(function()
      raises(function()
        for _ in rille.pipeline(failing_at(2)) { 1, 2 } do end -- luacheck: ignore 542
      end, "bad 2")
    end)
  end)

  it("does so too for an error that a stage returns", function()
    scoped(function()
      local value, err = rille.pipeline(function() return nil, "returned" end) { 1 }:recv()
      assert.is_nil(value)
      assert.equal("returned", err)
    end)
  end)

  it("passes an error value as it is", function()
    for _, thrown in ipairs { {}, false, 42 } do
      scoped(function()
        local _, err = rille.pipeline(function() error(thrown, 0) end) { 1 }:recv()
        assert.equal(thrown, err)
      end)
    end
  end)

  it("makes an error of nil", function()
    scoped(function()
      refused("invalid", rille.pipeline(function() error(nil, 0) end) { 1 }:recv())
    end)
  end)

  it("cancels and joins the other stages first", function()
    local log = helper.log()
    scoped(function(s)
      local p = rille.pipeline(noting(log, "first"), failing_at(2), noting(log, "last"))
      local out = p(endless())
      repeat local value = out:recv() until value == nil
      log(rille.now())
      assert.equal(0, s:active())
    end)
    assert.equal("1 first last", noted(log))
  end)

  it("does so when one of several workers fails", function()
    scoped(function(s)
      local out = rille.pipeline({ failing_at(5), workers = 3, ordered = true })(endless())
      assert.equal(1, (out:recv()))
      repeat local value, err = out:recv() until value == nil and err == "bad 5"
      assert.equal(0, s:active())
    end)
  end)

  it("because its input was closed with an error passes that on", function()
    scoped(function(s)
      local ch = s:channel(1)
      ch:send(1)
      ch:close("feed lost")
      local out = rille.pipeline(identity, identity)(ch)
      assert.equal(1, (out:recv()))
      local value, err = out:recv()
      assert.is_nil(value)
      assert.equal("feed lost", err)
    end)
  end)

  it("because its input raises passes that on", function()
    scoped(function()
      local _, err = rille.pipeline(identity)(function() error("torn", 0) end):recv()
      assert.equal("torn", err)
    end)
  end)

  it("is not the scope's failure", function()
    scoped(function(s)
      rille.pipeline(failing_at(1)) { 1 }:recv()
      assert.is_false(s:cancelled())
    end)
  end)

  it("is the scope's when the output is closed already", function()
    run(function()
      raises(function()
        rille.scope(function()
          local out = rille.pipeline { stream = function(input)
            local _ <close> = helper.closing(function() error("cleanup", 0) end)
            input:recv()
          end }(rille.channel())
          helper.settle()
          out:close()
          rille.sleep(1)
        end)
      end, "cleanup")
    end)
  end)
end)

describe("closing the output of a pipeline", function()
  it("stops the stages and runs their cleanup", function()
    local log = helper.log()
    scoped(function(s)
      local out = rille.pipeline(noting(log, "a"), noting(log, "b"))(endless())
      out:recv()
      out:close()
      rille.sleep(5)
      assert.equal(0, s:active())
    end)
    assert.equal("a b", noted(log))
  end)

  it("stops the stages though they only wait for input", function()
    scoped(function(s)
      local input = s:channel()
      local out = rille.pipeline({ identity, workers = 2 }, identity)(input)
      helper.settle()
      assert.equal(2, input:stats().receivers)
      out:close()
      helper.settle()
      assert.equal(0, input:stats().receivers)
      assert.equal(0, s:active())
    end)
  end)

  it("takes no more than what was on its way", function()
    scoped(function()
      local input = endless()
      local out = rille.pipeline(identity, identity)(input)
      for i = 1, 10 do assert.equal(i, (out:recv())) end
      out:close()
      helper.settle()
      assert.is_true(input.taken <= 10 + 2, input.taken .. " taken")
    end)
  end)

  it("leaves the input open", function()
    scoped(function(s)
      local input = s:channel(1)
      rille.pipeline(identity)(input):close()
      helper.settle()
      assert.is_false(input:is_closed())
    end)
  end)

  it("may be done before it has begun", function()
    scoped(function(s)
      rille.pipeline(identity)(endless()):close()
      helper.settle()
      assert.equal(0, s:active())
    end)
  end)

  it("by a <close> variable stops it when the loop is left", function()
    local log = helper.log()
    scoped(function(s)
      do
        local out <close> = rille.pipeline(noting(log, "a"))(endless())
        for value in out do if value == 3 then break end end
      end
      rille.sleep(2)
      assert.equal(0, s:active())
    end)
    assert.equal("a", helper.text(log))
  end)
end)

describe("leaving the scope of a pipeline", function()
  it("stops the stages, cleans up and closes the output", function()
    local log = helper.log()
    run(function()
      local out
      rille.scope(function()
        out = rille.pipeline(noting(log, "a"))(endless())
        out:recv()
      end)
      refused("cancelled", out:recv())
    end)
    assert.equal("a", helper.text(log))
  end)

  it("closes the output of one that has not begun", function()
    run(function()
      local out
      rille.scope(function() out = rille.pipeline(identity)(endless()) end)
      refused("closed", out:recv())
    end)
  end)

  it("by a failure stops it as well", function()
    local log = helper.log()
    run(function()
      raises(function()
        rille.scope(function()
          rille.pipeline(noting(log, "a"))(endless()):recv()
          error "elsewhere"
        end)
      end, "elsewhere")
    end)
    assert.equal("a", helper.text(log))
  end)
end)
