-- The main task, before its root scope is opened and after it has ended, gave the
-- scope at the top of the engine, in which a finalizer (or whoever had kept the main
-- task) could start tasks that outlived the run.
local rille = require "rille"
local helper = require "spec.helper"

describe("the main task", function()
  it("has no scope once its root has ended", function()
    local main
    rille.run({ clock = "virtual" }, function() main = rille.current() end)
    assert.is_nil(main:scope())
  end)

  it("has none in what runs between the end of the root and its own", function()
    local tries = 0
    -- A count hook stands for a finalizer, which runs wherever memory is asked for.
    rille.run({ clock = "virtual" }, function()
      debug.sethook(function()
        if rille.current() and rille.root() == nil then
          tries = tries + 1
          assert.is_nil(rille.current():scope())
          helper.raises(function() rille.fan_in(rille.channel(1)) end, "outside")
          helper.raises(function() rille.process.run { "true" } end, "outside")
        end
      end, "", 1)
    end)
    debug.sethook()
    assert.same({}, rille.testing.leaks())
    assert.is_true(tries > 0)
  end)
end)
