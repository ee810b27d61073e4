local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused

-- Runs fn(scope) in a scope of its own.
local function scoped(fn)
  return run(function() return rille.scope(fn) end)
end

local function double(x) return x * 2 end

-- A channel that a task of the scope fills with 1 ... count, noting each.
local function numbers(s, count, log)
  local ch = rille.channel()
  s:go(function()
    for i = 1, count do
      ch:send(i)
      if log then log("sent", i) end
    end
    ch:close()
  end)
  return ch
end

-- An iterator of 1 ... count.
local function iterator(count)
  local i = 0
  return function()
    i = i + 1
    if i <= count then return i end
  end
end

describe("map", function()
  it("calls the function with item, index and scope", function()
    scoped(function(s)
      assert.same({ "a1", "b2", n = 2 }, s:map({ "a", "b" }, function(item, index, given)
        assert.equal(s, given)
        return item .. index
      end))
    end)
  end)

  it("returns the results in order, whoever ends first", function()
    local results = scoped(function(s)
      return s:map({ 3, 1, 2 }, function(x) rille.sleep(x) return x end)
    end)
    assert.same({ 3, 1, 2, n = 3 }, results)
  end)

  it("keeps the order with a concurrency, of a thousand random ones", function()
    local items = {}
    for i = 1, 1000 do items[i] = i end
    local results = scoped(function(s)
      return s:map(items, function(x) rille.sleep(x * 7 % 13) return x end, { concurrency = 9 })
    end)
    items.n = 1000
    assert.same(items, results)
  end)

  it("goes on with the next item when one is done", function()
    scoped(function(s)
      s:map({ 1, 4, 1, 1, 1 }, rille.sleep, { concurrency = 2 })
      assert.equal(4, rille.now())
    end)
  end)

  it("takes false and, with an n, nil for items", function()
    local results = scoped(function(s)
      return s:map({ false, nil, 1, n = 4 }, function(x) return tostring(x) end)
    end)
    assert.same({ "false", "nil", "1", "nil", n = 4 }, results)
  end)

  it("of nothing is an empty list", function()
    scoped(function(s)
      assert.same({ n = 0 }, s:map({}, double))
      assert.same({ n = 0 }, s:map(function() end, double))
    end)
  end)

  it("takes the items of a channel until it is closed", function()
    scoped(function(s)
      assert.same({ 2, 4, 6, n = 3 }, s:map(numbers(s, 3), double))
    end)
  end)

  it("takes the items of an iterator", function()
    scoped(function(s)
      assert.same({ 2, 4, 6, n = 3 }, s:map(iterator(3), double))
    end)
  end)

  it("takes the items of a generator that waits", function()
    local generator = rille.coroutine.wrap(function()
      for i = 1, 3 do
        rille.sleep(1)
        rille.coroutine.yield(i)
      end
    end)
    scoped(function(s)
      assert.same({ 2, 4, 6, n = 3 }, s:map(generator, double, { concurrency = 2 }))
    end)
  end)

  it("never enters an iterator twice at a time", function()
    local inside, items = 0, iterator(20)
    scoped(function(s)
      local results = s:map(function()
        inside = inside + 1
        assert.equal(1, inside)
        rille.sleep(0.1)
        inside = inside - 1
        return items()
      end, function(x) rille.sleep(1) return x end, { concurrency = 5 })
      assert.equal(20, results.n)
    end)
  end)

  it("numbers the items as they come, however slow each is", function()
    local results = scoped(function(s)
      return s:map(numbers(s, 50), function(x, index)
        rille.sleep(x * 5 % 7)
        return x == index
      end, { concurrency = 4 })
    end)
    for i = 1, 50 do assert.is_true(results[i]) end
  end)

  it("takes nothing ahead of what it works on", function()
    local log = helper.log()
    scoped(function(s)
      s:go(function() rille.sleep(0.5) log "later" end)
      s:map(numbers(s, 4, log), function() rille.sleep(1) end, { concurrency = 2 })
    end)
    assert.equal("sent:1 sent:2 later sent:3 sent:4", helper.text(log))
  end)

  it("of an iterator tells on_progress no total", function()
    local log = helper.log()
    scoped(function(s) s:map(iterator(2), double, { on_progress = log }) end)
    assert.equal("1:nil 2:nil", helper.text(log))
  end)

  it("returns the first failure and cancels the rest", function()
    local log = helper.log()
    local value, err = scoped(function(s)
      return s:map({ 5, 1, 5 }, function(x)
        local _ <close> = helper.closing(function() log(x, rille.now()) end)
        rille.sleep(x)
        if x == 1 then error("one", 0) end
      end)
    end)
    assert.is_nil(value)
    assert.equal("one", err)
    assert.equal("1:1 5:1 5:1", helper.text(log))
  end)

  it("returns the error with which the channel was closed", function()
    scoped(function(s)
      local ch = rille.channel(2)
      ch:send(1)
      ch:close("feed lost")
      local value, err = s:map(ch, double)
      assert.is_nil(value)
      assert.equal("feed lost", err)
    end)
  end)

  it("returns what the iterator raises, after its cleanup", function()
    local log = helper.log()
    local _, err = scoped(function(s)
      local items = iterator(1)
      return s:map(function() return items() or error("torn", 0) end, function()
        local _ <close> = helper.closing(function() log "cleaned" end)
        rille.sleep(60)
      end)
    end)
    assert.equal("torn", err)
    assert.equal("cleaned", helper.text(log))
  end)

  it("leaves the channel open, and what it has not taken in it", function()
    scoped(function(s)
      local ch = rille.channel(10)
      ch:send_many { 1, 2, 3 }
      s:map(ch, function() error "x" end, { concurrency = 1 })
      assert.is_false(ch:is_closed())
      assert.equal(2, ch:recv())
    end)
  end)

  it("waits for a channel in reach of a timeout", function()
    scoped(function(s)
      local ch = rille.channel()
      refused("timeout", rille.timeout(3, s.map, s, ch, double))
      assert.equal(0, ch:stats().receivers)
    end)
  end)

  it("settles each", function()
    local results = scoped(function(s)
      return s:map({ 1, 2 }, function(x) return x == 1 and 1 or nil, "odd" end, { settle = true })
    end)
    assert.same({ ok = true, value = 1 }, results[1])
    assert.same({ ok = false, err = "odd" }, results[2])
  end)

  it("gives up a turn in a long list of calls that do not wait", function()
    local log = helper.log()
    scoped(function(s)
      local items = {}
      for i = 1, 10000 do items[i] = i end
      s:go(function()
        while s:active() > 1 do log "other" rille.yield() end
      end)
      s:map(items, double, { concurrency = 3 })
    end)
    assert.is_true(helper.count(log) > 10)
  end)

  it("stops between calls that do not wait when the scope is cancelled", function()
    local calls = 0
    scoped(function(s)
      s:map({ 1, 2, 3 }, function()
        calls = calls + 1
        s:cancel()
      end)
    end)
    assert.equal(1, calls)
  end)

  it("keeps no more than the results of a long channel", function()
    scoped(function(s)
      local ch = numbers(s, 20000)
      local before, peak = collectgarbage "count", 0
      s:map(ch, function(x)
        if x % 5000 == 0 then
          collectgarbage()
          peak = math.max(peak, collectgarbage "count" - before)
        end
      end, { concurrency = 4 })
      assert.is_true(peak < 64, "KB: " .. peak)
    end)
  end)

  it("refuses wrong arguments", function()
    scoped(function(s)
      raises(function() s:map(nil, double) end, "#1.*list, a channel or an iterator")
      raises(function() s:map("text", double) end, "#1")
      raises(function() s:map({}, nil) end, "#2")
      raises(function() s:map({}, double, { settel = true }) end, "#3.*did you mean 'settle'")
      raises(function() s.map({}, {}, double) end, "bad self")
    end)
  end)
end)
