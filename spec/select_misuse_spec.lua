local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

describe("select", function()
  it("of an empty list raises", function()
    run(function() raises(function() rille.select {} end) end)
  end)

  for name, case in pairs {
    ["a number"] = 42,
    ["a string"] = "case",
    ["true"] = true,
    ["an empty table"] = {},
    ["a source that is a table"] = { {} },
    ["a source that is an io file"] = { io.stdout },
    ["a source that is a scope"] = function() return { rille.root() } end,
    ["a handler that cannot be called"] = function() return { rille.channel(), "x" } end,
    ["an unknown field"] = function() return { rille.channel(), sendd = 1 } end,
    ["a send to a timer"] = function() return { rille.after(1), send = 1 } end,
  } do
    it("refuses " .. name, function()
      run(function()
        local bad = case
        if type(case) == "function" then bad = case() end
        raises(function() rille.select { bad } end)
      end)
    end)
  end

  it("refuses a bad case before anything has happened", function()
    run(function()
      local ch = rille.channel(1)
      ch:send("kept")
      raises(function() rille.select { { ch }, { 42 } } end)
      assert.equal(1, ch:size())
    end)
  end)

  it("refuses what is no list", function()
    run(function() raises(function() rille.select(42) end, "#1") end)
  end)

  it("refuses an unknown option with the nearest known one", function()
    run(function()
      raises(function() rille.select({ { rille.channel() } }, { tiemout = 1 }) end, "timeout")
    end)
  end)

  it("refuses a default that cannot be called", function()
    run(function()
      raises(function() rille.select({ { rille.channel() } }, { default = 42 }) end, "default")
    end)
  end)

  it("raises outside a task", function()
    raises(function() rille.select { { rille.channel() } } end, "inside a task")
  end)

  it("takes the same channel twice", function()
    run(function()
      local ch = rille.channel(1)
      ch:send("x")
      local index, value = rille.select { { ch }, { ch } }
      assert.is_true(index == 1 or index == 2)
      assert.equal("x", value)
    end)
  end)

  it("takes the same channel twice when it has to wait", function()
    run(function()
      local ch = rille.channel()
      rille.root():go(function() rille.sleep(1) ch:send("x") end)
      local _, value = rille.select { { ch }, { ch } }
      assert.equal("x", value)
      helper.refused("full", ch:try_send("y"))
    end)
  end)

  it("takes a thousand cases", function()
    run(function()
      local cases = {}
      for i = 1, 1000 do cases[i] = { rille.channel(1) } end
      cases[777][1]:send("x")
      assert.same({ 777, "x" }, { rille.select(cases) })
    end)
  end)
end)
