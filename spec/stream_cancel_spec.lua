-- Streams and cancellation: every pull is a suspension point, and a stream is
-- cancelled and cleaned up with its scope.
-- luacheck: ignore 512 (loops that are left at once)
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run, refused = helper.run, helper.refused
local identity = sources.identity

local stream = rille.stream

-- A source that never has a value, and notes its end.
local function stalled(log)
  return {
    recv = function() rille.sleep(1e6) end,
    close = function()
      rille.sleep(1)
      log("closed", rille.now())
    end,
  }
end

describe("a cancellation", function()
  -- Each leaves a stream waiting for its source.
  local waiting = {
    ["a source"] = identity,
    ["map"] = function(st) return st:map(identity) end,
    ["batch"] = function(st) return st:batch(2) end,
    ["batch with seconds"] = function(st) return st:batch(2, 5) end,
    ["debounce"] = function(st) return st:debounce(5) end,
    ["timeout"] = function(st) return st:timeout(1000) end,
    ["merge"] = function(st) return st:merge(rille.channel()) end,
    ["map_parallel"] = function(st) return st:map_parallel(3, identity) end,
    ["retry"] = function(st) return stream({ open = function() return st end }):retry() end,
    ["catch"] = function(st) return st:catch(function() return {} end) end,
    ["concat"] = function(st) return st:concat {} end,
    ["flat_map"] = function(st) return st:flat_map(function(v) return { v } end) end,
  }

  for name, put in pairs(waiting) do
    it("interrupts " .. name .. " in a terminal", function()
      run(function()
        local log = helper.log()
        refused("timeout", rille.timeout(10, function()
          put(stream(stalled(log))):collect()
          error "not reached"
        end))
        assert.equal("closed:11", helper.text(log))
      end)
    end)

    it("interrupts " .. name .. " in a loop", function()
      run(function()
        local log = helper.log()
        refused("timeout", rille.timeout(10, function()
          for _ in put(stream(stalled(log))) do error "not reached" end
        end))
        assert.equal("closed:11", helper.text(log))
      end)
    end)
  end

  it("of the reader's task alone closes the stream", function()
    run(function()
      local log = helper.log()
      rille.scope(function(s)
        local task = s:task(function() stream(stalled(log)):map_parallel(2, identity):collect() end)
        rille.sleep(2)
        task:cancel()
        task:await()
        log(s:active())
      end)
      assert.equal("closed:3 0", helper.text(log))
    end)
  end)

  it("is met by a pull that need not wait", function()
    for _, source in ipairs { { 1, 2, 3 }, function() return 1 end,
      { recv = function() return 1 end } } do
      run(function()
        local pulled = 0
        rille.scope(function(s)
          for _ in stream(source) do
            pulled = pulled + 1
            s:cancel()
          end
        end)
        assert.equal(1, pulled)
      end)
    end
  end)

  it("is met by a channel's pull though there is a value", function()
    run(function()
      local ch = rille.channel(3)
      ch:send_many { 1, 2, 3 }
      rille.scope(function(s) for _ in stream(ch) do s:cancel() end end)
      assert.equal(2, ch:size())
    end)
  end)

  it("before a terminal leaves the stream unread", function()
    run(function()
      local st = stream { 1, 2 }
      rille.scope(function(s)
        s:cancel()
        st:collect()
      end)
      assert.same({ 1, 2 }, st:collect())
    end)
  end)

  it("takes no value from a channel", function()
    run(function()
      local ch = rille.channel()
      rille.timeout(1, function() stream(ch):map(identity):first() end)
      rille.root():go(ch.send, ch, 1)
      assert.equal(1, (ch:recv()))
    end)
  end)

  it("passes on nothing that an operator holds", function()
    for _, hold in ipairs {
      function(st) return st:batch(2) end,
      function(st) return st:batch(2, 100) end,
      function(st) return st:debounce(100) end,
      function(st) return st:catch(function() return { 1 } end) end,
    } do
      run(function()
        local log, ch = helper.log(), rille.channel(1)
        ch:send(1)
        rille.scope(function(s)
          s:go(function() rille.sleep(5) s:cancel() end)
          pcall(function() hold(stream(ch):skip(0)):skip(0):each(log) end)
        end)
        assert.is_true(helper.count(log) <= 1)
        assert.not_matches("table", helper.text(log))
      end)
    end
  end)

  it("passes through a caught error in a function", function()
    run(function()
      local _, err = rille.scope(function(s)
        stream { 1, 2 }:map(function() s:cancel("enough") pcall(rille.sleep, 1) end):collect()
      end)
      assert.equal("enough", err.reason)
    end)
  end)

  it("of another scope is a failure like any other", function()
    run(function()
      local _, err = stream { 1 }:map(function()
        return rille.scope(function(s) s:cancel("inner") rille.sleep(1) end)
      end):collect()
      assert.equal("inner", err.reason)
    end)
  end)
end)

describe("a stream of a scope", function()
  -- A scope that another task holds open, and that task.
  local function elsewhere()
    local other
    local task = rille.root():task(function()
      rille.scope(function(s)
        other = s
        rille.sleep(1e6)
      end)
    end)
    rille.yield()
    return other, task
  end

  it("is cancelled with it, in a terminal elsewhere", function()
    run(function()
      local log = helper.log()
      local s = elsewhere()
      local st = s:stream(stalled(log))
      rille.root():go(function() rille.sleep(5) s:cancel("over") end)
      assert.equal("over", refused("cancelled", st:collect()).reason)
      assert.equal("closed:6", helper.text(log))
    end)
  end)

  it("is cancelled with it, in a loop elsewhere", function()
    run(function()
      local s = elsewhere()
      local st = s:stream(rille.channel()):map_parallel(2, identity)
      rille.root():go(function() rille.sleep(5) s:cancel("over") end)
      local err = helper.raises_kind("cancelled", function()
        for _ in st do error "not reached" end
      end)
      assert.equal("over", err.reason)
      assert.equal(5, rille.now())
    end)
  end)

  it("has its tasks there", function()
    run(function()
      local s, task = elsewhere()
      for _ in s:stream { 1, 2 }:map_parallel(1, identity) do
        assert.same({ 1, 1 }, { s:active(), rille.root():active() })
        break
      end
      task:cancel()
      task:await()
    end)
  end)

  it("gives its values elsewhere", function()
    run(function()
      local s, task = elsewhere()
      assert.same({ 1, 2 }, s:stream { 1, 2 }:map(identity):collect())
      assert.equal(1, (s:stream { 1, 2 }:iter()()))
      task:cancel()
      task:await()
    end)
  end)

  it("is closed with it, once, though another stream reads it elsewhere", function()
    run(function()
      local log = helper.log()
      local s, task = elsewhere()
      rille.scope(function()
        local next_value = stream { 1 }:flat_map(function()
          return s:stream(sources.noted(log, { "a", "b" }))
        end):iter()
        next_value()
        task:cancel()
        task:await()
        log "ended"
      end)
      assert.equal("a close ended", helper.text(log))
    end)
  end)

  it("ends with its scope though its tasks still pull", function()
    run(function()
      local st
      rille.scope(function(s)
        st = s:stream(rille.channel()):map_parallel(2, identity)
        s:go({ daemon = true }, function() for _ in st do error "not reached" end end)
        rille.yield()
      end)
      assert.equal(0, rille.now())
    end)
  end)
end)

describe("a stream at the end of its scope", function()
  it("has its tasks cancelled and joined before it is closed", function()
    run(function()
      local log = helper.log()
      rille.scope(function()
        local source = { recv = function() return 1 end, close = function() log "closed" end }
        for _ in stream(source):map_parallel(2, function(v)
          local _ <close> = helper.closing(function() rille.sleep(1) log "task" end)
          return v
        end) do break end
      end)
      assert.equal("task task task closed", helper.text(log))
    end)
  end)

  it("has its tasks cancelled at the same time", function()
    run(function()
      rille.scope(function()
        for _ in stream { 1, 2, 3 }:map_parallel(3, function(v)
          local _ <close> = helper.closing(function() rille.sleep(v > 1 and 2 or 0) end)
          if v > 1 then rille.sleep(1e6) end
          return v
        end):iter() do break end
      end)
      assert.equal(2, rille.now())
    end)
  end)

  it("leaves nothing behind for a scope that lives long", function()
    run(function()
      for _ = 1, 100 do
        for _ in stream { 1, 2 } do break end
        for _ in stream { 1, 2 } do end -- luacheck: ignore
        for _ in stream { 1, 2 }:map_parallel(2, identity):iter() do break end
      end
      local s = rille.root()
      collectgarbage()
      local before = collectgarbage "count"
      for _ = 1, 1000 do
        for _ in stream { 1 } do end -- luacheck: ignore
        stream { 1 }:map_parallel(2, identity):collect()
        s:stream { 1 }:map(identity):collect()
        s:stream { 1 }:map(identity):close()
      end
      collectgarbage()
      assert.is_true(collectgarbage "count" - before < 20)
    end)
  end)
end)
