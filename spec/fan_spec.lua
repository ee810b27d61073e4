local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- Runs fn(scope) in a scope of its own.
local function scoped(fn)
  return run(function() return rille.scope(fn) end)
end

-- Everything that comes out of a channel, sorted, as text.
local function text(channel)
  local values = {}
  for value in channel do values[#values + 1] = value end
  table.sort(values)
  return table.concat(values, " ")
end

local function double(x) return x * 2 end

-- A closed channel that holds the values.
local function filled(...)
  local ch = rille.channel(10)
  for _, value in ipairs { ... } do ch:send(value) end
  ch:close()
  return ch
end

describe("fan_out", function()
  it("returns n channels that are closed after the last value", function()
    scoped(function()
      local outputs = table.pack(rille.fan_out({ 1, 2, 3 }, 3, function(x)
        rille.sleep(1)
        return double(x)
      end))
      assert.equal(3, outputs.n)
      for i = 1, 3 do assert.equal(tostring(2 * i), text(outputs[i])) end
    end)
  end)

  it("gives the next value to whoever is free", function()
    scoped(function()
      local a, b = rille.fan_out({ 1, 2, 3, 4, 5 }, 2, function(x)
        rille.sleep(x == 1 and 10 or 1)
        return x
      end, { buffer = 9 })
      assert.equal("2 3 4 5", text(b))
      assert.equal("1", text(a))
    end)
  end)

  it("passes values on without a function", function()
    scoped(function() assert.equal("1 2", text((rille.fan_out({ 1, 2 }, 1)))) end)
  end)

  it("drops nil", function()
    scoped(function()
      local out = rille.fan_out({ 1, 2 }, 1, function(x) if x == 2 then return x end end)
      assert.equal("2", text(out))
    end)
  end)

  it("closes all outputs with the error of a failure", function()
    scoped(function(s)
      local a, b = rille.fan_out({ 1, 2 }, 2, function(x)
        if x == 2 then error("two", 0) end
        rille.sleep(60)
      end)
      for _, ch in ipairs { a, b } do assert.equal("two", (select(2, ch:recv()))) end
      assert.equal(0, rille.now())
      assert.equal(0, s:active())
    end)
  end)

  it("stops the task of an output that is closed, and only that", function()
    scoped(function(s)
      local input = s:channel()
      local a, b = rille.fan_out(input, 2, double)
      helper.settle()
      a:close()
      helper.settle()
      assert.equal(1, input:stats().receivers)
      input:send(4)
      assert.equal(8, (b:recv()))
    end)
  end)

  it("ends when all outputs are closed", function()
    scoped(function(s)
      local a, b = rille.fan_out(function() return 1 end, 2, double)
      a:recv()
      a:close()
      b:close()
      helper.settle()
      assert.equal(0, s:active())
    end)
  end)

  it("refuses wrong arguments", function()
    scoped(function()
      raises(function() rille.fan_out(3, 1, double) end, "#1")
      raises(function() rille.fan_out({}, 0, double) end, "#2")
      raises(function() rille.fan_out({}, 1, 3) end, "#3")
      raises(function() rille.fan_out({}, 1, double, { bufer = 1 }) end, "#4.*'buffer'")
    end)
    raises(function() rille.fan_out({}, 1, double) end, "inside a task")
  end)
end)

describe("fan_in", function()
  it("gives the values of all, and is closed when all are", function()
    scoped(function()
      assert.equal("1 2 3 4", text(rille.fan_in(filled(1, 2), filled(3), filled(4), filled())))
    end)
  end)

  it("keeps the order of each", function()
    scoped(function()
      local values = {}
      for value in rille.fan_in({ 1, 2, 3 }, { 11, 12, 13 }) do values[#values + 1] = value end
      local low, high = {}, {}
      for _, value in ipairs(values) do table.insert(value < 10 and low or high, value) end
      assert.same({ { 1, 2, 3 }, { 11, 12, 13 } }, { low, high })
    end)
  end)

  it("takes what fan_out returns", function()
    scoped(function()
      assert.equal("2 4 6 8 10",
        text(rille.fan_in(rille.fan_out({ 1, 2, 3, 4, 5 }, 3, double))))
    end)
  end)

  it("is closed with the error of an input, and stops the others", function()
    scoped(function(s)
      local bad, quiet = s:channel(), s:channel()
      local out = rille.fan_in(quiet, bad)
      bad:close("lost")
      assert.equal("lost", (select(2, out:recv())))
      assert.equal(0, quiet:stats().receivers)
      assert.is_false(quiet:is_closed())
    end)
  end)

  it("takes nothing more from its inputs when it is closed", function()
    scoped(function(s)
      local a, b = s:channel(), s:channel()
      local out = rille.fan_in(a, b)
      helper.settle()
      out:close()
      helper.settle()
      assert.equal(0, a:stats().receivers + b:stats().receivers)
      assert.equal(0, s:active())
    end)
  end)

  it("may give what does not fit in any buffer to a select", function()
    scoped(function()
      local out = rille.fan_in({ 7 })
      assert.same({ 1, 7 }, { rille.select { { out } } })
    end)
  end)

  it("is closed when its scope is left", function()
    run(function()
      local out
      rille.scope(function(s)
        out = rille.fan_in(s:channel())
        helper.settle()
      end)
      refused("cancelled", out:recv())
    end)
  end)

  it("refuses wrong arguments", function()
    scoped(function()
      raises(function() rille.fan_in() end, "#1")
      raises(function() rille.fan_in({}, 3) end, "#2")
    end)
    raises(function() rille.fan_in {} end, "inside a task")
  end)
end)
