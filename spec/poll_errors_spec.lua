local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

-- Fails the calls whose number is in `list`, with "error N"; else returns N.
local function failing(list)
  local n = 0
  return function()
    n = n + 1
    for _, bad in ipairs(list) do
      if bad == n then error("error " .. n, 0) end
    end
    return n
  end
end

describe("a failure of a polled function", function()
  it("is the scope's without on_error, at once and unchanged", function()
    run(function()
      local problem = {}
      assert.equal(problem, raises(function()
        rille.scope(function(s)
          s:poll(function() error(problem) end, nil, { interval = 5, immediate = false })
          rille.sleep(99)
        end)
      end))
      assert.equal(5, rille.now())
    end)
  end)

  it("is given to on_error, and polling goes on after the interval", function()
    local log = helper.log()
    run(function()
      rille.root():poll(failing { 2 }, log, { interval = 5, on_error = log })
      rille.sleep(11)
    end)
    assert.equal("1 error 2 3", helper.text(log))
  end)

  it("may be nil and an error", function()
    local log = helper.log()
    run(function()
      rille.root():poll(function() return nil, "no signal" end, log,
        { interval = 5, on_error = log })
      rille.sleep(1)
    end)
    assert.equal("no signal", helper.text(log))
  end)

  it("may be false and an error", function()
    local log = helper.log()
    run(function()
      rille.root():poll(function() return false, "no signal" end, log,
        { interval = 5, on_error = log })
      rille.sleep(1)
    end)
    assert.equal("no signal", helper.text(log))
  end)

  it("is not a plain nil, nor the end of a channel", function()
    local log = helper.log()
    run(function()
      local ch = rille.channel()
      ch:close()
      rille.root():poll(function() end, log, { interval = 5, on_error = error })
      rille.root():poll(function() return ch:recv() end, log, { interval = 5, on_error = error })
      rille.sleep(1)
    end)
    assert.equal(2, helper.count(log))
  end)

  it("may be an error of nil", function()
    local count = 0
    run(function()
      rille.root():poll(function() error(nil) end, nil,
        { interval = 5, on_error = function(err) count = count + (err == nil and 1 or 0) end })
      rille.sleep(6)
    end)
    assert.equal(2, count)
  end)

  it("counts the interval from the end of on_error", function()
    local log = helper.log()
    run(function()
      rille.root():poll(function() log(rille.now()) error "x" end, nil,
        { interval = 5, on_error = function() rille.sleep(2) end })
      rille.sleep(8)
    end)
    assert.equal("0 7", helper.text(log))
  end)

  it("that a cleanup makes of a stop is a failure too", function()
    run(function()
      assert.equal("cannot close", raises(function()
        rille.scope(function(s)
          local p = s:poll(function()
            local _ <close> = helper.closing(function() error("cannot close", 0) end)
            rille.sleep(9)
          end, nil, { interval = 5 })
          rille.sleep(1)
          p:stop()
          rille.sleep(9)
        end)
      end))
    end)
  end)

  it("after a stop is counted, and not given to on_error", function()
    local log = helper.log()
    run(function()
      local p
      p = rille.root():poll(function() p:stop() error("x", 0) end, nil,
        { interval = 5, on_error = log })
      rille.sleep(1)
      assert.equal(1, p:status().error_count)
      assert.equal("x", p:status().last_error)
    end)
    assert.equal("", helper.text(log))
  end)

  it("keeps its traceback when it is the scope's", function()
    local place
    local function broken() place = helper.where() error "deep" end
    local text
    run(function()
      pcall(rille.scope, { on_error = "continue" }, function(s)
        local p = s:poll(broken, nil, { interval = 5 })
        rille.sleep(1)
        text = tostring(s:errors()[1])
        assert.is_false(p:status().running)
      end)
    end)
    assert.truthy(text:find(place, 1, true))
  end)

  it("ends that poll alone where the scope goes on after errors", function()
    run(function()
      local other
      raises(function()
        rille.scope({ on_error = "continue" }, function(s)
          s:poll(error, nil, { interval = 1 })
          other = s:poll(function() end, nil, { interval = 1 })
          rille.sleep(3.5)
        end)
      end)
      assert.equal(4, other:status().poll_count)
    end)
  end)
end)

describe("on_value", function()
  it("that raises fails the scope", function()
    run(function()
      local problem = {}
      assert.equal(problem, raises(function()
        rille.scope(function(s)
          s:poll(function() end, function() error(problem) end,
            { interval = 1, on_error = function() end })
          rille.sleep(9)
        end)
      end))
    end)
  end)

  it("that returns nil and an error fails the scope", function()
    run(function()
      assert.equal("disk full", raises(function()
        rille.scope(function(s)
          s:poll(function() end, function() return nil, "disk full" end, { interval = 1 })
          rille.sleep(9)
        end)
      end))
    end)
  end)
end)

describe("on_error", function()
  it("that raises fails the scope", function()
    run(function()
      local problem = {}
      assert.equal(problem, raises(function()
        rille.scope(function(s)
          s:poll(error, nil, { interval = 1, on_error = function() error(problem) end })
          rille.sleep(9)
        end)
      end))
    end)
  end)
end)

describe("max_errors", function()
  -- Runs for 100 s; the calls that fail, what on_error saw, what was raised.
  local function outcome(list, opts)
    local log, p = helper.log(), nil
    opts.interval = 1
    if opts.on_error then opts.on_error = log end
    local _, err = pcall(run, function()
      p = rille.root():poll(failing(list), nil, opts)
      rille.sleep(99.5)
    end)
    return err, helper.text(log), p:status()
  end

  it("ends with the last of so many errors in a row", function()
    local err, seen, status = outcome({ 1, 2, 3 }, { max_errors = 3, on_error = true })
    assert.equal("error 3", err)
    assert.equal("error 1 error 2", seen)
    assert.equal(3, status.error_count)
    assert.is_false(status.running)
  end)

  it("does not count those before a success", function()
    local err, _, status = outcome({ 1, 2, 4, 5 }, { max_errors = 3, on_error = true })
    assert.is_nil(err)
    assert.equal(4, status.error_count)
  end)

  it("does without on_error", function()
    local err, _, status = outcome({ 1, 3, 4 }, { max_errors = 2 })
    assert.equal("error 4", err)
    assert.equal(4, status.poll_count)
  end)

  it("is one without on_error", function()
    assert.equal("error 2", (outcome({ 2 }, {})))
  end)

  it("is none with on_error", function()
    local list = {}
    for i = 1, 100 do list[i] = i end
    local err, _, status = outcome(list, { on_error = true })
    assert.is_nil(err)
    assert.equal(100, status.error_count)
  end)

  it("may be math.huge", function()
    local err, _, status = outcome({ 1, 2, 3 }, { max_errors = math.huge })
    assert.is_nil(err)
    assert.equal(3, status.error_count)
  end)

  it("counts anew from each start", function()
    run(function()
      local p = rille.root():poll(function() error "x" end, nil, { interval = 5, max_errors = 3 })
      for _ = 1, 10 do
        rille.sleep(7)
        p:stop()
        p:start()
      end
      p:stop()
    end)
  end)
end)
