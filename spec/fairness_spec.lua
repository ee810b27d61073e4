local rille = require "rille"
local helper = require "spec.helper"
local run = helper.run

-- How often each case of `n` always-ready channels is chosen in 10 000 rounds.
local function choices(n, opts, once)
  return run(function()
    local cases, counts = {}, {}
    for i = 1, n do
      local ch = rille.channel(1)
      ch:send(i)
      cases[i], counts[i] = { ch }, 0
    end
    for _ = 1, 10000 do
      local index = once(cases, opts)
      counts[index] = counts[index] + 1
      cases[index][1]:send(index)
    end
    return counts
  end)
end

local function selected(cases, opts)
  return (rille.select(cases, opts))
end

local function even(counts, n)
  for i = 1, n do
    local share = counts[i] / 10000
    if math.abs(share - 1 / n) > 0.0245 then
      error(("case %d of %d has a share of %.4f"):format(i, n, share), 2)
    end
  end
end

describe("select", function()
  it("chooses evenly among two that are ready", function()
    even(choices(2, nil, selected), 2)
  end)

  it("chooses evenly among eight that are ready", function()
    even(choices(8, nil, selected), 8)
  end)

  it("chooses the first always when ordered", function()
    assert.equal(10000, choices(2, { ordered = true }, selected)[1])
  end)

  it("chooses evenly with a selector", function()
    local sel
    even(choices(2, nil, function(cases)
      sel = sel or rille.selector(cases)
      return (sel:wait())
    end), 2)
  end)

  it("chooses evenly among several cases on one channel", function()
    local counts = { 0, 0 }
    run(function()
      local ch = rille.channel(1)
      for _ = 1, 10000 do
        ch:send(1)
        local index = rille.select { { ch }, { ch } }
        counts[index] = counts[index] + 1
      end
    end)
    even(counts, 2)
  end)

  it("chooses evenly among several cases on one channel when it had to wait", function()
    local counts = { 0, 0 }
    run(function()
      local ch = rille.channel()
      rille.root():go(function()
        for i = 1, 10000 do ch:send(i) end
      end)
      for _ = 1, 10000 do
        local index = rille.select { { ch }, { ch } }
        counts[index] = counts[index] + 1
      end
    end)
    even(counts, 2)
  end)

  it("chooses evenly between a send and a receive", function()
    local counts = { 0, 0 }
    run(function()
      local from, to = rille.channel(1), rille.channel(1)
      for _ = 1, 10000 do
        from:try_send(1)
        local index = rille.select { { from }, { to, send = 1 } }
        counts[index] = counts[index] + 1
        if index == 2 then to:recv() end
      end
    end)
    even(counts, 2)
  end)
end)

describe("a call that need not wait", function()
  for name, call in pairs {
    ["send"] = function(ch) ch:send(1) end,
    ["send and recv"] = function(ch) ch:send(1) ch:recv() end,
    ["send_many and recv_many"] = function(ch) ch:send_many { 1 } ch:recv_many(1) end,
    ["select"] = function(ch) rille.select { { ch, send = 1 } } end,
    ["select with a default"] = function(ch)
      rille.select({ { ch } }, { default = true })
    end,
    ["selector"] = function(ch) rille.selector({ { ch, send = 1 } }):wait() end,
    ["await of an ended task"] = function(_, task) task:await() end,
    ["await of a callback"] = function() rille.await(function(r) r() end) end,
    ["sleep(0)"] = function() rille.sleep(0) end,
  } do
    it("gives up a turn after some calls: " .. name, function()
      run(function()
        local ch, other = rille.channel(math.huge), false
        local task = rille.root():task(rille.yield)
        helper.settle()
        rille.root():go(function() other = true end)
        for _ = 1, 100000 do
          call(ch, task)
          if other then return end
        end
        error("the other task never ran")
      end)
    end)
  end
end)

describe("a busy task", function()
  it("does not hold up timers", function()
    run({ clock = "real" }, function()
      local fired = false
      rille.root():go(function() rille.sleep(0.001) fired = true end)
      local ch = rille.channel(1)
      while not fired do
        ch:send(1)
        ch:recv()
      end
    end)
  end)

  it("shares the turns with another busy one", function()
    local counts = { 0, 0 }
    run(function()
      rille.scope(function(s)
        for i = 1, 2 do
          s:go(function()
            local ch = rille.channel(1)
            while counts[1] + counts[2] < 100000 do
              ch:send(1)
              ch:recv()
              counts[i] = counts[i] + 1
            end
          end)
        end
      end)
    end)
    assert.is_true(math.min(counts[1], counts[2]) > 30000)
  end)

  it("that yields shares the turns with a hundred others", function()
    local counts = {}
    run(function()
      for i = 1, 100 do
        counts[i] = 0
        rille.root():go(function()
          while counts[i] < 50 do
            counts[i] = counts[i] + 1
            assert.is_true(counts[i] - counts[(i % 100) + 1] <= 1)
            rille.yield()
          end
        end)
      end
    end)
    assert.equal(50, counts[100])
  end)
end)
