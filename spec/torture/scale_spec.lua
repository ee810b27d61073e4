-- Very many of one thing: tasks, channels, scopes, waiters. What it costs is
-- counted in instructions, as a ratio (spec/growth.lua); memory is that which a
-- second round must not add to. (After the first round the engine keeps its
-- tables as large as they were, and malloc what it has taken from the system:
-- so the first round is the baseline.)
local rille = require "rille"
local helper = require "spec.helper"
local setting = require "spec.torture.setting"
local size, note = setting.size, setting.note

-- What the process has of the system's memory, in KB.
local function resident()
  local file <close> = assert(io.open "/proc/self/statm")
  local _, pages = file:read("n", "n")
  return pages * 4
end

-- Runs fn twice; the second time may leave 2 % more behind than the first,
-- and what libuv and Lua have for a handful of objects.
local function flat(fn)
  fn()
  local heap, rss = helper.heap(), resident()
  fn()
  local heap_after, rss_after = helper.heap(), resident()
  note("scale:   memory after it: %.0f KB of Lua's, then %.0f; %d KB resident, then %d", heap,
    heap_after, rss, rss_after)
  assert.is_true(heap_after < heap * 1.02 + 64, ("%.0f KB, then %.0f"):format(heap, heap_after))
  if setting.full then
    assert.is_true(rss_after < rss * 1.02, ("%d KB, then %d"):format(rss, rss_after))
  end
end

describe("very many tasks", function()
  it("that wait are cancelled at once", function()
    local n, ended = size(5000, 1000000), 0
    local function park(ch, i)
      local _ <close> = helper.closing(function() ended = ended + 1 end)
      if i % 2 == 0 then ch:recv() else rille.sleep(1e6) end
    end
    flat(function()
      helper.run(function()
        local ch, began = rille.channel(), os.clock()
        ended = 0
        rille.scope(function(s)
          for i = 1, n do s:go(park, ch, i) end
          rille.sleep(1)
          assert.equal(n, s:active())
          note("scale: %d tasks parked in %.2f s, %d KB resident", n, os.clock() - began,
            resident())
          began = os.clock()
          s:cancel()
        end)
        note("scale: %d tasks cancelled and joined in %.2f s", n, os.clock() - began)
        assert.equal(n, ended)
        assert.equal(0, ch:stats().receivers)
      end)
    end)
  end)

end)

describe("a chain of very many channels", function()
  it("passes a value from end to end", function()
    local n = size(5000, 1000000)
    flat(function()
      helper.run(function()
        local began, first = os.clock(), rille.channel()
        local left = first
        rille.scope(function(s)
          for _ = 1, n do
            local from, to = left, rille.channel()
            s:go(function() to:send(from:recv() + 1) end)
            left = to
          end
          s:go(function() first:send(0) end)
          assert.equal(n, left:recv())
        end)
        note("scale: a chain of %d channels in %.2f s", n, os.clock() - began)
      end)
    end)
  end)
end)

describe("very deep scopes", function()
  -- Opens n scopes, each in the last, and calls fn(outermost) inside all.
  local function nest(n, fn, outermost)
    local s <close> = rille.scope()
    if n > 1 then
      nest(n - 1, fn, outermost or s)
    else
      fn(outermost or s)
    end
  end

  it("are left one after the other", function()
    local n, depth = size(3000, 100000), 0
    flat(function()
      helper.run(function() nest(n, function() depth = depth + 1 end) end)
    end)
    assert.equal(2, depth)
  end)

  it("in one task are all left when the outermost is cancelled", function()
    local n = size(3000, 100000)
    helper.run(function()
      local began = os.clock()
      local err = helper.raises_kind("cancelled", function()
        nest(n, function(outermost)
          outermost:cancel "enough"
          rille.sleep(1)
        end)
      end)
      note("scale: %d scopes in one task left in %.2f s", n, os.clock() - began)
      assert.equal("enough", err.reason)
    end)
  end)

  -- A task in a scope of a task in a scope ..., `n` deep; the innermost sleeps.
  local function descend(n, log)
    rille.scope(function(s)
      if n == 1 then
        rille.sleep(1e6)
      else
        s:go(descend, n - 1, log)
      end
      local _ <close> = helper.closing(function() log.closed = log.closed + 1 end)
      rille.sleep(1e6)
    end)
  end

  it("of tasks in one another are all left when the outermost is cancelled", function()
    local n, log = size(2000, 10000), { closed = 0 }
    flat(function()
      helper.run(function()
        log.closed = 0
        rille.scope(function(s)
          s:go(descend, n, log)
          rille.sleep(1)
          local began = os.clock()
          s:cancel()
          s:defer(function()
            note("scale: %d tasks in one another cancelled in %.3f s", n, os.clock() - began)
          end)
        end)
        assert.equal(n - 1, log.closed)
      end)
    end)
  end)
end)

-- Four times as many as this, at most.
local n = size(1000, 25000)

for _, name in ipairs {
  "receivers cancelled",
  "receivers of a channel that is closed",
  "scopes of one task",
  "scopes of one task, cancelled",
  "sleepers cancelled",
  "tasks cancelled one by one, the last first",
  "tasks in one another, cancelled",
} do
  describe(name, function()
    local it = helper.uncounted and pending or it
    it("take work that grows as they do", function()
      note("scale: %s: ratio %.3f", name, helper.check_linear(name, n))
    end)
  end)
end
