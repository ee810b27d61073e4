-- The operators that know the time.
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run = helper.run
local at = sources.at

local stream = rille.stream

-- The values of a stream, each a text with the time when it came.
local function timed(st)
  local log = helper.log()
  local _, err = st:each(function(value)
    if type(value) == "table" then value = table.concat(value, ",") end
    log(value, rille.now())
  end)
  if err ~= nil then log(err, rille.now()) end
  return helper.text(log)
end

-- Runs `fn(source)` for a source that select can wait for, and for one that it
-- cannot, which has to be pulled by a task.
local function with_both(fn, ...)
  for _, wrap in ipairs { stream, function(ch)
    return stream(ch):map(function(v) return v end)
  end } do
    run(function(...) fn(wrap(at(...))) end, ...)
  end
end

describe("stream", function()
  describe("batch", function()
    it("passes on lists of n values, the last one shorter", function()
      run(function()
        assert.same({ { 1, 2 }, { 3, 4 }, { 5 } }, stream { 1, 2, 3, 4, 5 }:batch(2):collect())
        assert.same({ { 1, 2 } }, stream { 1, 2 }:batch(2):collect())
        assert.same({}, stream {}:batch(2):collect())
      end)
    end)

    it("of math.huge is one list", function()
      run(function() assert.same({ { 1, 2 } }, stream { 1, 2 }:batch(math.huge):collect()) end)
    end)

    it("pulls no more than it passes on", function()
      run(function()
        local pulled = 0
        stream(function() pulled = pulled + 1 return pulled end):batch(3):first()
        assert.equal(3, pulled)
      end)
    end)

    it("passes on what it holds before a failure", function()
      run(function()
        assert.equal("1,2:0 3:0 failed:0", timed(stream(at({ 0, 0, 0 }, "failed")):batch(2)))
      end)
    end)

    it("waits for as long as it takes without seconds", function()
      with_both(function(st) assert.equal("1,2:100", timed(st:batch(2))) end, { 1, 100 })
    end)

    it("passes a list on when its first value is old enough", function()
      with_both(function(st)
        assert.equal("1,2:6 3:12", timed(st:batch(10, 5)))
      end, { 1, 4, 7, stop = 50 })
    end)

    it("counts from the first value and not from the list before", function()
      with_both(function(st)
        assert.equal("1,2:2 3:105 4:111", timed(st:batch(2, 5)))
      end, { 1, 2, 100, 106, stop = 150 })
    end)

    it("passes on what it holds at the end", function()
      with_both(function(st) assert.equal("1,2:2", timed(st:batch(10, 5))) end, { 1, 2 })
    end)

    it("with seconds passes on what it holds before a failure", function()
      with_both(function(st)
        assert.equal("1,2:2 failed:2", timed(st:batch(10, 5)))
      end, { 1, 2 }, "failed")
    end)

    it("passes on nothing while nothing comes", function()
      with_both(function(st) assert.equal("1:105", timed(st:batch(2, 5))) end,
        { 100, stop = 300 })
    end)

    it("keeps the value that comes after the time is up", function()
      with_both(function(st)
        assert.equal("1:6 2,3:8", timed(st:batch(2, 5)))
      end, { 1, 7, 8 })
    end)

    it("does not lose a value that comes while its list is worked on", function()
      with_both(function(st)
        local list = {}
        st:batch(2, 5):each(function(batch)
          list[#list + 1] = #batch
          rille.sleep(10)
        end)
        assert.same({ 1, 2, 1 }, list)
      end, { 1, 7, 8, 9 })
    end)

    it("has one value pulled ahead at most", function()
      run(function()
        local pulled = 0
        local st = stream(function()
          pulled = pulled + 1
          rille.sleep(3)
          return pulled
        end):batch(10, 2)
        for batch in st:take(3):iter() do
          rille.sleep(100)
          assert.equal(batch[#batch] + 1, pulled)
        end
      end)
    end)

    it("of 0 seconds takes what is there", function()
      run(function()
        local ch = rille.channel(5)
        ch:send_many { 1, 2, 3 }
        ch:close()
        assert.same({ { 1 }, { 2 }, { 3 } }, stream(ch):batch(5, 0):collect())
      end)
    end)
  end)

  describe("debounce", function()
    it("passes a value on when no other has followed for the time", function()
      with_both(function(st) assert.equal("2:12 4:31", timed(st:debounce(10))) end,
        { 1, 2, 20, 21, stop = 50 })
    end)

    it("passes on the last value at the end", function()
      with_both(function(st) assert.equal("2:2", timed(st:debounce(10))) end, { 1, 2 })
    end)

    it("passes on the last value before a failure", function()
      with_both(function(st) assert.equal("2:2 failed:2", timed(st:debounce(10))) end, { 1, 2 },
        "failed")
    end)

    it("passes on false", function()
      run(function() assert.same({ false }, stream { 1, false }:debounce(1):collect()) end)
    end)
  end)

  describe("throttle", function()
    it("drops values that come too soon after the last one passed on", function()
      with_both(function(st) assert.equal("1:1 3:11 5:25", timed(st:throttle(10))) end,
        { 1, 5, 11, 12, 25 })
    end)

    it("of 0 seconds drops nothing", function()
      run(function() assert.same({ 1, 2 }, stream { 1, 2 }:throttle(0):collect()) end)
    end)
  end)

  describe("timeout", function()
    it("passes on what comes in time", function()
      with_both(function(st) assert.equal("1:3 2:7", timed(st:timeout(5))) end, { 3, 7 })
    end)

    it("fails when a value takes too long", function()
      with_both(function(st)
        assert.equal("1:3 timeout: the stream gave no value within 5 s:8", timed(st:timeout(5)))
      end, { 3, 9 })
    end)

    it("counts from when the value is asked for", function()
      with_both(function(st)
        local n = st:timeout(5):tap(function() rille.sleep(100) end):count()
        assert.equal(2, n)
      end, { 3, 7 })
    end)

    it("can be caught", function()
      run(function()
        local st = stream(rille.channel()):timeout(5):catch(function(err) return { err.kind } end)
        assert.same({ "timeout" }, st:collect())
      end)
    end)

    it("leaves a late value in the channel", function()
      run(function()
        local ch = at { 9 }
        stream(ch):timeout(5):collect()
        assert.equal(1, (ch:recv()))
      end)
    end)

    it("is not the timeout of a scope around it", function()
      run(function()
        local _, err = rille.timeout(2, function()
          stream(rille.channel()):timeout(5):collect()
          error "not reached"
        end)
        assert.is_true(rille.is_error(err, "timeout"))
        assert.equal(2, rille.now())
      end)
    end)
  end)
end)
