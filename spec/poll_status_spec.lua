local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

describe("poll:status", function()
  local function status_at(time, opts, fn)
    local status
    run(function()
      local p = rille.root():poll(fn or function() rille.sleep(2) return 1 end, nil, opts)
      rille.sleep(time)
      status = p:status()
    end)
    return status
  end

  it("tells what is known before the first call", function()
    assert.same({ running = true, poll_count = 0, error_count = 0, next_poll_time = 5,
      time_until_next = 4 }, status_at(1, { interval = 5, immediate = false }))
  end)

  it("knows no next time during a call", function()
    assert.same({ running = true, poll_count = 0, error_count = 0, last_poll_time = 0 },
      status_at(1, { interval = 5 }))
  end)

  it("tells when the last call began and the next will", function()
    assert.same({ running = true, poll_count = 1, error_count = 0, last_poll_time = 0,
      next_poll_time = 7, time_until_next = 4 }, status_at(3, { interval = 5 }))
  end)

  it("keeps the last error", function()
    local err = {}
    local status = status_at(6, { interval = 5, max_errors = 9 }, function()
      if rille.now() == 0 then error(err) end
    end)
    assert.equal(err, status.last_error)
    assert.equal(2, status.poll_count)
    assert.equal(1, status.error_count)
  end)

  it("tells when it will start anew while the old call cleans up", function()
    run(function()
      local p = rille.root():poll(function()
        local _ <close> = helper.closing(function() rille.sleep(1) end)
        rille.sleep(9)
      end, nil, { interval = 5, immediate = false })
      rille.sleep(6)
      p:stop()
      assert.is_nil(p:status().next_poll_time)
      p:start()
      assert.equal(11, p:status().next_poll_time)
      assert.is_true(p:status().running)
    end)
  end)

  it("is not running after stop, failure or the end of the scope", function()
    run(function()
      local failed, left
      pcall(rille.scope, function(s)
        failed = s:poll(error, nil, { interval = 1 })
        left = s:poll(function() end, nil, { interval = 1 })
        rille.sleep(9)
      end)
      assert.is_false(failed:status().running)
      assert.is_false(left:status().running)
      assert.is_nil(left:status().next_poll_time)
    end)
  end)

  it("is a table of its own each time", function()
    run(function()
      local p = rille.root():poll(function() end, nil, { interval = 1 })
      p:status().poll_count = 99
      assert.equal(0, p:status().poll_count)
    end)
  end)

  it("has a short form in tostring", function()
    run(function()
      local p = rille.root():poll(function() end, nil, { interval = 1, name = "gauge" })
      rille.sleep(2.5)
      assert.equal("rille.poll: gauge (running, 3 polls, 0 errors)", tostring(p))
      p:stop()
      assert.equal("rille.poll: gauge (stopped, 3 polls, 0 errors)", tostring(p))
    end)
  end)
end)

describe("a poll with <close>", function()
  it("is stopped and joined", function()
    local log = helper.log()
    run(function()
      do
        local p <close> = rille.root():poll(function()
          local _ <close> = helper.closing(function() rille.sleep(2) log("end", rille.now()) end)
          rille.sleep(9)
        end, nil, { interval = 5 })
        rille.sleep(1)
        assert.is_true(p:status().running)
      end
      log("left", rille.now())
      assert.equal(0, rille.root():active())
    end)
    assert.equal("end:3 left:3", helper.text(log))
  end)

  it("does not wait for a delivery that cannot end", function()
    run(function()
      local ch = rille.channel()
      do
        local p <close> = rille.root():poll(function() return 1 end, function(v) ch:send(v) end,
          { interval = 5 })
        rille.sleep(1)
        assert.is_true(p:status().running)
      end
      assert.equal(1, rille.now())
    end)
  end)

  it("may be left by the loop itself, which cannot join itself", function()
    local log = helper.log()
    run(function()
      local p
      p = rille.root():poll(function() end, function()
        do local _ <close> = p end
        rille.sleep(1)
        log("delivered", p:status().running)
      end, { interval = 5 })
      rille.sleep(2)
    end)
    assert.equal("delivered:false", helper.text(log))
  end)

  it("may be left when it has never run", function()
    run(function()
      do local _ <close> = rille.root():poll(error, nil, { interval = 5 }) end
      assert.equal(0, rille.root():active())
    end)
  end)
end)
