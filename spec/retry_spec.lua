local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- A function that fails `failures` times, raising its number, then returns
-- "done"; and how often it has been called.
local function failing(failures)
  local calls = 0
  return function()
    calls = calls + 1
    if calls <= failures then error("failure " .. calls, 0) end
    return "done"
  end, function() return calls end
end

describe("rille.retry", function()
  it("returns what the function returns", function()
    run(function()
      local results = table.pack(rille.retry({}, function(...) return ... end, 1, nil, 3, nil))
      assert.same({ 1, nil, 3, nil, n = 4 }, results)
    end)
  end)

  it("returns nothing where the function returns nothing", function()
    run(function() assert.equal(0, select("#", rille.retry({}, function() end))) end)
  end)

  it("gives the same arguments to every call", function()
    local log = helper.log()
    run(function()
      rille.retry({ delay = 1, max_retries = 1 }, function(...)
        log(...)
        error "again"
      end, "a", nil, "c")
    end)
    assert.equal("a:nil:c a:nil:c", helper.text(log))
  end)

  -- cenkalti/backoff: success on the third call; cockatiel: 5 retries, 6 calls.
  for _, row in ipairs {
    { failures = 2, retries = 10, calls = 3, ends = "done" },
    { failures = 9, retries = 5, calls = 6, ends = "failure 6" },
    { failures = 9, retries = 3, calls = 4, ends = "failure 4" },
    { failures = 9, retries = 0, calls = 1, ends = "failure 1" },
    { failures = 500, retries = math.huge, calls = 501, ends = "done" },
  } do
    it(("makes %d calls of %d retries, %d failing"):format(row.calls, row.retries == math.huge
      and -1 or row.retries, row.failures), function()
      run(function()
        local fn, calls = failing(row.failures)
        local value, err = rille.retry({ max_retries = row.retries, delay = 0 }, fn)
        assert.equal(row.ends, value or err)
        assert.equal(row.calls, calls())
      end)
    end)
  end

  it("makes four calls unless it is told", function()
    run(function()
      local fn, calls = failing(9)
      rille.retry({}, fn)
      assert.equal(4, calls())
    end)
  end)

  it("takes nil for the options", function()
    run(function() assert.equal(7, rille.retry(nil, function() return 7 end)) end)
  end)

  it("returns the last error unchanged", function()
    run(function()
      local errors = {}
      local value, err = rille.retry({ delay = 0 }, function()
        errors[#errors + 1] = {}
        error(errors[#errors])
      end)
      assert.is_nil(value)
      assert.equal(errors[4], err)
    end)
  end)

  it("retries a function that returns nil and an error", function()
    run(function()
      local results = table.pack(rille.retry({ delay = 0 }, function() return nil, "full", 28 end))
      assert.same({ nil, "full", 28, n = 3 }, results)
    end)
  end)

  it("returns nil where the function returned false and an error", function()
    run(function()
      assert.same({ nil, "no" }, { rille.retry({ delay = 0 }, function() return false, "no" end) })
    end)
  end)

  it("takes a returned closed error for an ordinary end", function()
    run(function()
      local ch, calls = rille.channel(), 0
      ch:close()
      local _, err = rille.retry({}, function()
        calls = calls + 1
        return ch:recv()
      end)
      assert.equal("closed", err.kind)
      assert.equal(1, calls)
    end)
  end)

  it("passes an error of false on", function()
    run(function()
      assert.same({ nil, false }, { rille.retry({ max_retries = 0 }, error, false) })
    end)
  end)

  it("makes an error of a raised nil", function()
    run(function()
      local value, err = rille.retry({ max_retries = 0 }, error)
      refused("invalid", value, err)
    end)
  end)

  it("waits in the function as well", function()
    run(function()
      local fn = failing(2)
      rille.retry({ delay = 1 }, function() rille.sleep(2) return fn() end)
      assert.equal(8, rille.now())
    end)
  end)

  it("raises outside a task", function()
    raises(function() rille.retry({}, print) end, "not inside a task")
  end)

  it("without a function returns one that retries, its options checked once", function()
    run(function()
      local opts = { max_retries = 1, delay = 0 }
      local retrying = rille.retry(opts)
      opts.max_retries = 100
      local fn, calls = failing(9)
      assert.same({ nil, "failure 2" }, { retrying(fn) })
      assert.equal("x", retrying(function(v) return v end, "x"))
      assert.equal(2, calls())
    end)
  end)

  it("may be nested, each with its own count", function()
    run(function()
      local fn, calls = failing(5)
      local value = rille.retry({ max_retries = 10, delay = 0 }, function()
        return rille.retry({ max_retries = 1, delay = 0 }, fn)
      end)
      assert.equal("done", value)
      assert.equal(6, calls())
    end)
  end)
end)

describe("the delay of rille.retry", function()
  -- The times at which the calls are made that `opts` lead to.
  local function times(opts, err)
    local list = {}
    run(function()
      rille.retry(opts, function()
        list[#list + 1] = ("%g"):format(rille.now())
        error(err or "again", 0)
      end)
    end)
    return table.concat(list, " ")
  end

  -- Polly: constant, linear, exponential; cenkalti and cockatiel: the maximum.
  local list = { 10, 20, 20 }
  for name, row in pairs {
    constant = { { delay = 1 }, "0 1 2 3" },
    linear = { { delay = function(attempt) return attempt end }, "0 1 3 6" },
    ["a list"] = { { delay = function(attempt) return list[attempt] end }, "0 10 30 50" },
    exponential = { { backoff = { initial = 1, jitter = "none" } }, "0 1 3 7" },
    ["with a factor"] = { { backoff = { initial = 1, factor = 3, jitter = "none" } }, "0 1 4 13" },
    ["up to a maximum"] = {
      { max_retries = 6, backoff = { initial = 0.5, max = 5, jitter = "none" } },
      "0 0.5 1.5 3.5 7.5 12.5 17.5" },
    ["of nothing"] = { { backoff = { initial = 0 } }, "0 0 0 0" },
    ["below 0"] = { { delay = -1 }, "0 0 0 0" },
    ["of a function below 0"] = { { delay = function() return -1 end }, "0 0 0 0" },
  } do
    it("may be " .. name, function() assert.equal(row[2], times(row[1])) end)
  end

  it("of a function that returns nil is the back-off's", function()
    assert.equal("0 1 6 10", times {
      delay = function(attempt) return attempt == 2 and 5 or nil end,
      backoff = { initial = 1, jitter = "none" },
    })
  end)

  it("of a function that returns false is no more retry", function()
    assert.equal("0 1", times { delay = function(attempt) return attempt < 2 and 1 end })
  end)

  it("gets the attempt and the error", function()
    local log = helper.log()
    times { max_retries = 2, delay = function(attempt, err) log(attempt, err) return 0 end }
    assert.equal("1:again 2:again", helper.text(log))
  end)

  it("that is NaN raises", function()
    run(function()
      raises(function() rille.retry({ delay = function() return 0 / 0 end }, error) end, "NaN")
    end)
  end)

  it("that is no number raises", function()
    run(function()
      raises(function() rille.retry({ delay = function() return "1" end }, error) end, "got '1'")
    end)
  end)

  it("that raises ends the call with its error", function()
    run(function()
      raises(function() rille.retry({ delay = function() error "oops" end }, error) end, "oops")
    end)
  end)

  it("is random unless it is told, and at most the back-off", function()
    run(function()
      local last
      for attempt = 1, 200 do
        rille.retry({ max_retries = 1, on_retry = function(_, _, delay) last = delay end }, error)
        assert.is_true(last >= 0 and last <= 0.1, attempt)
      end
    end)
  end)

  it("follows from the seed", function()
    local function total(seed)
      return run({ seed = seed }, function()
        rille.retry({ max_retries = 5 }, error)
        return rille.now()
      end)
    end
    assert.equal(total(1), total(1))
    assert.not_equal(total(1), total(2))
  end)

  for _, jitter in ipairs { "full", "equal", "decorrelated" } do
    it("with jitter " .. jitter .. " stays within its bounds", function()
      run(function()
        local longest = 0
        rille.retry({ max_retries = 50, backoff = { initial = 1, max = 7, jitter = jitter },
          on_retry = function(_, _, delay)
            assert.is_true(delay >= (jitter == "full" and 0 or 0.5) and delay <= 7)
            longest = math.max(longest, delay)
          end }, error)
        assert.is_true(longest > 4)
      end)
    end)
  end

  it("is the error's retry_after, if it has one", function()
    assert.equal("0 2.5 5 7.5", times({ delay = 10 }, { retry_after = 2.5 }))
    assert.equal("0 20 40 60", times({ delay = 10 }, { retry_after = 20 }))
    assert.equal("0 0 0 0", times({ delay = 10 }, { retry_after = 0 }))
  end)

  it("is not a retry_after that is no number", function()
    for _, after in ipairs { "5", true, 0 / 0 } do
      assert.equal("0 1 2 3", times({ delay = 1 }, { retry_after = after }))
    end
  end)

  it("with a retry_after below 0 or without end is no more retry", function()
    for _, after in ipairs { -1, math.huge } do
      assert.equal("0", times({ delay = 1 }, { retry_after = after }))
    end
  end)

  it("of 0 lets others run", function()
    local log = helper.log()
    run(function()
      rille.root():go(function() log "other" end)
      rille.retry({ max_retries = 1, delay = 0 }, function() log "call" error "again" end)
    end)
    assert.equal("call other call", helper.text(log))
  end)

  it("without end is no more retry", function()
    assert.equal("0", times { delay = math.huge })
  end)
end)
