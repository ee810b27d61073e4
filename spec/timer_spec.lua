local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

describe("rille.after", function()
  it("fires after its seconds", function()
    run(function()
      rille.after(2.5):wait()
      assert.equal(2.5, rille.now())
    end)
  end)

  it("returns true from wait", function()
    run(function() assert.is_true((rille.after(1):wait())) end)
  end)

  it("counts from its creation", function()
    run(function()
      local timer = rille.after(5)
      rille.sleep(3)
      timer:wait()
      assert.equal(5, rille.now())
    end)
  end)

  it("has fired when its time has passed", function()
    run(function()
      local timer = rille.after(1)
      rille.sleep(3)
      timer:wait()
      assert.equal(3, rille.now())
    end)
  end)

  it("fires once", function()
    run(function()
      local timer = rille.after(1)
      timer:wait()
      local index = rille.select({ { timer } }, { timeout = 10 })
      assert.is_nil(index)
    end)
  end)

  it("fires for one taker", function()
    local log = helper.log()
    run(function()
      local timer = rille.after(1)
      for i = 1, 2 do
        rille.root():go(function()
          log(i, (rille.select({ { timer } }, { timeout = 5 })))
        end)
      end
    end)
    assert.equal("1:1 2:nil", helper.text(log))
  end)

  it("counts a negative time as 0", function()
    run(function()
      rille.after(-1):wait()
      assert.equal(0, rille.now())
    end)
  end)

  it("does not fire after stop", function()
    run(function()
      local timer = rille.after(1)
      timer:stop()
      assert.is_nil((rille.select({ { timer } }, { timeout = 5 })))
    end)
  end)

  it("may be stopped twice", function()
    run(function()
      local timer = rille.after(1)
      timer:stop()
      timer:stop()
    end)
  end)

  it("does not keep the program alive when nobody waits for it", function()
    local ended
    run(function()
      rille.root():defer(function() ended = rille.now() end)
      rille.after(1e6)
    end)
    assert.equal(0, ended)
  end)

  it("does not hide a deadlock when nobody waits for it", function()
    helper.raises_kind("deadlock", function()
      run(function()
        local _ = rille.after(10)
        rille.channel():recv()
      end)
    end)
  end)

  it("never fires with math.huge", function()
    run(function()
      assert.is_nil((rille.select({ { rille.after(math.huge) } }, { timeout = 1e9 })))
    end)
  end)

  for _, value in ipairs { 0 / 0, "x", true, {} } do
    it("refuses " .. type(value) .. " " .. tostring(value):gsub(":.*", ""), function()
      run(function() raises(function() rille.after(value) end, "#1") end)
    end)
  end
end)

describe("rille.every", function()
  it("ticks first after its seconds", function()
    run(function()
      for _ in rille.every(2) do break end -- luacheck: ignore
      assert.equal(2, rille.now())
    end)
  end)

  it("gives the count of the tick", function()
    local log = helper.log()
    run(function()
      for n in rille.every(1) do
        log(n, rille.now())
        if n == 3 then break end
      end
    end)
    assert.equal("1:1 2:2 3:3", helper.text(log))
  end)

  it("does not drift", function()
    local log = helper.log()
    run(function()
      for n in rille.every(1) do
        log(rille.now())
        rille.sleep(0.75)
        if n == 3 then break end
      end
    end)
    assert.equal("1 2 3", helper.text(log))
  end)

  it("does not drift over a fraction that is not binary", function()
    run(function()
      for n in rille.every(0.1) do
        if n == 1000 then break end
      end
      assert.is_true(math.abs(rille.now() - 100) < 1e-6)
    end)
  end)

  it("coalesces late ticks and counts them", function()
    local log = helper.log()
    run(function()
      for n in rille.every(1) do
        log(n, rille.now())
        if n == 1 then rille.sleep(3.5) end
        if n >= 5 then break end
      end
    end)
    assert.equal("1:1 4:4.5 5:5", helper.text(log))
  end)

  it("may have a very long interval", function()
    run(function()
      local ticker = rille.every(8e9)
      ticker()
      assert.is_nil((rille.select({ { ticker } }, { timeout = 1 })))
      assert.equal(8e9 + 1, rille.now())
    end)
  end)

  it("ends the iteration when it is stopped", function()
    local count = 0
    run(function()
      local ticker = rille.every(1)
      for n in ticker do
        count = n
        if n == 3 then ticker:stop() end
      end
    end)
    assert.equal(3, count)
  end)

  it("ends the iteration of a waiting task when it is stopped", function()
    run(function()
      local ticker = rille.every(10)
      rille.root():go(function() rille.sleep(1) ticker:stop() end)
      for _ in ticker do error("ticked") end
      assert.equal(1, rille.now())
    end)
  end)

  it("is stopped by <close>", function()
    run(function()
      local kept
      do
        local ticker <close> = rille.every(1)
        kept = ticker
      end
      for _ in kept do error("ticked") end
    end)
  end)

  it("does not keep the program alive when nobody waits for it", function()
    local ended
    run(function()
      rille.root():defer(function() ended = rille.now() end)
      rille.every(1)
    end)
    assert.equal(0, ended)
  end)

  it("does not hide a deadlock when nobody waits for it", function()
    helper.raises_kind("deadlock", function()
      run(function()
        local _ = rille.every(10)
        rille.channel():recv()
      end)
    end)
  end)

  for _, value in ipairs { 0, -1, 0 / 0, math.huge, "x", true } do
    it("survives the interval " .. tostring(value), function()
      run(function()
        local ok, ticker = pcall(rille.every, value)
        if ok then
          rille.select({ { ticker } }, { timeout = 1 })
        else
          assert.truthy(tostring(ticker):find("#1"))
        end
      end)
    end)
  end

  it("refuses NaN", function()
    run(function() raises(function() rille.every(0 / 0) end, "#1") end)
  end)

  it("refuses what is no number", function()
    run(function() raises(function() rille.every({}) end, "#1") end)
  end)
end)
