-- select_source_spec.lua - objects that name a source for select.
local rille = require "rille"
local helper = require "spec.helper"

-- An object that stands for what `source` returns.
local function standing_for(source)
  return setmetatable({}, {__source = source})
end

describe("an object with __source", function()
  it("is a case like the source it names", function()
    helper.run(function()
      local channel = rille.channel(1)
      channel:send("x")
      local object = standing_for(function() return channel end)
      assert.same({1, "x"}, {rille.select{{object}}})
    end)
  end)

  it("is given to its function, and asked before each wait", function()
    helper.run(function()
      local asked, given = 0, nil
      local first, second = rille.channel(1), rille.channel(1)
      first:send("one")
      second:send("two")
      local object = standing_for(function(self)
        asked, given = asked + 1, self
        return asked < 2 and first or second
      end)
      local selector = rille.selector{{object}}
      assert.same({1, "two"}, {selector:wait()})
      assert.equal(object, given)
      assert.equal(2, asked)
    end)
  end)

  it("is not asked while its case is off", function()
    helper.run(function()
      local asked = 0
      local object = standing_for(function()
        asked = asked + 1
        return rille.channel()
      end)
      local selector = rille.selector{{object}, {rille.after(1)}}
      selector:enable(1, false)
      assert.same({2, true}, {selector:wait()})
      assert.equal(1, asked)
    end)
  end)

  it("wakes the wait as its source does", function()
    helper.run(function()
      local channel = rille.channel()
      local object = standing_for(function() return channel end)
      local waiting = helper.start(function() return rille.select{{object}} end)
      channel:send("late")
      assert.same({1, "late"}, {waiting:await()})
    end)
  end)

  it("that names none is refused", function()
    helper.run(function()
      helper.raises(function()
        rille.select{{standing_for(function() return 1 end)}}
      end, "case 1: 1 is not something to wait for")
      helper.raises(function() rille.select{{standing_for(1)}} end, "attempt to call a number")
    end)
  end)

  it("raises what its function raises, a wait included", function()
    helper.run(function()
      helper.raises(function()
        rille.select{{standing_for(function() error("not now", 0) end)}}
      end, "^not now$")
      helper.raises(function()
        rille.select{{standing_for(function() rille.sleep(1) end)}}
      end, "cannot wait here")
    end)
  end)

  it("cannot be sent to", function()
    helper.run(function()
      local channel = rille.channel(1)
      helper.raises(function()
        rille.select{{standing_for(function() return channel end), send = 1}}
      end, "only a channel can be sent to")
    end)
  end)
end)
