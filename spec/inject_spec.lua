local rille = require "rille"
local helper = require "spec.helper"

-- A stack that must be unwound in the reverse of the order in which it grew.
local function stack()
  local open, opened, closed = {}, 0, 0
  local self = {}
  function self.push(fn)
    opened = opened + 1
    local id = opened
    open[#open + 1] = id
    return helper.closing(function()
      if open[#open] ~= id then
        error(("%d closed while %s is on top"):format(id, tostring(open[#open])))
      end
      open[#open] = nil
      closed = closed + 1
      if fn then fn() end
    end)
  end
  function self.check()
    assert.equal(0, #open)
    assert.equal(opened, closed)
  end
  return self
end

local scenarios = {}

-- Scopes in scopes, each with a handler, a deferred function and a task.
scenarios["nested scopes"] = function(new_stack)
  local function nest(depth, own)
    if depth == 0 then return end
    local _ <close> = own.push()
    rille.scope(function(s)
      local deferred = own.push()
      s:defer(function() getmetatable(deferred).__close(deferred) end)
      local theirs = new_stack()
      s:go(function()
        local _ <close> = theirs.push()
        rille.sleep(depth)
      end)
      nest(depth - 1, own)
      rille.sleep(1)
    end)
  end
  nest(4, new_stack())
end

-- A producer, a filter and a consumer on channels.
scenarios["pipeline"] = function(new_stack)
  rille.scope(function(s)
    local from, to = s:channel(), s:channel(2)
    local a, b, c = new_stack(), new_stack(), new_stack()
    s:go(function()
      local _ <close> = a.push(function() from:close() end)
      for i = 1, 5 do from:send(i) end
    end)
    s:go(function()
      local _ <close> = b.push(function() to:close() end)
      for value in from do
        local _ <close> = b.push()
        to:send(value * 2)
      end
    end)
    s:go(function()
      local _ <close> = c.push()
      for _ in to do
        local _ <close> = c.push()
        rille.sleep(1)
      end
    end)
  end)
end

-- Selects with timers, timeouts and a handler that suspends.
scenarios["select"] = function(new_stack)
  rille.scope(function(s)
    local ch, own = s:channel(), new_stack()
    local theirs = new_stack()
    s:go({ daemon = true }, function()
      local _ <close> = theirs.push()
      for n in rille.every(1) do ch:send(n) end
    end)
    local _ <close> = own.push()
    for _ = 1, 5 do
      local _ <close> = own.push(function() rille.sleep(0.25) end)
      rille.select { { ch }, { rille.after(0.75), function() rille.sleep(0.5) end } }
      rille.timeout(0.5, ch.recv, ch)
    end
  end)
end

-- Handlers that suspend, tasks that await tasks, a shield and generators.
scenarios["awaiting"] = function(new_stack)
  rille.scope(function(s)
    local tasks = {}
    for i = 1, 4 do
      local own = new_stack()
      tasks[i] = s:task(function()
        local _ <close> = own.push(function() rille.sleep(0.5) end)
        local _ <close> = own.push()
        if i > 1 then tasks[i - 1]:await() end
        rille.shield(rille.sleep, 0.5)
        for _ in rille.coroutine.wrap(function()
          rille.sleep(0.5)
          coroutine.yield(1)
        end) do
          rille.yield()
        end
      end)
    end
    tasks[4]:await()
  end)
end

-- Runs the scenario and does inject(task) after `k` turns of its life; says
-- whether the scenario was still alive then.
-- Seven turns in eight take no time.
local function attempt(scenario, k, inject)
  local stacks, alive = {}, false
  local function new_stack()
    stacks[#stacks + 1] = stack()
    return stacks[#stacks]
  end
  local ok, err = pcall(helper.run, function()
    local task = rille.root():task(function() scenario(new_stack) end)
    rille.root():go({ daemon = true }, function()
      for turn = 1, k do rille.sleep(turn % 8 == 0 and 0.125 or 0) end
      local status = task:status()
      alive = status == "waiting" or status == "ready"
      if alive then inject(task) end
    end)
    task:await()
  end)
  if not ok and not rille.is_error(err, "cancelled") then
    error(err, 0)
  end
  for _, one in ipairs(stacks) do one.check() end
  return alive
end

-- Injects at every turn until the scenario has ended before.
local function everywhere(scenario, inject)
  local k, reached = 0, 0
  repeat
    k = k + 1
    local alive = attempt(scenario, k, inject)
    if alive then reached = reached + 1 end
  until not alive or k > 999
  assert.is_true(reached > 5)
  assert.is_true(k < 999)
end

describe("a cancellation at every turn", function()
  for name, scenario in pairs(scenarios) do
    it("of the task unwinds all, once and in order: " .. name, function()
      everywhere(scenario, function(task) task:cancel("injected") end)
    end)

    it("of the task, twice, unwinds all: " .. name, function()
      everywhere(scenario, function(task)
        task:cancel("injected")
        rille.yield()
        task:cancel("again")
      end)
    end)

    it("of the root scope unwinds all: " .. name, function()
      everywhere(scenario, function() rille.root():cancel("injected") end)
    end)
  end
end)

describe("a scenario that is left alone", function()
  for name, scenario in pairs(scenarios) do
    it("unwinds all: " .. name, function()
      attempt(scenario, 0, function() end)
    end)
  end
end)
