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

-- Parts whose cleanup waits, some of which fail.
scenarios["parallel"] = function(new_stack)
  rille.scope({ concurrency = 5 }, function(s)
    local function part(seconds, fails)
      local own = new_stack()
      return function()
        local _ <close> = own.push(function() rille.sleep(0.25) end)
        rille.sleep(seconds)
        if fails then error("part", 0) end
      end
    end
    s:map({ 0.5, 0.25, 1 }, function(x) part(x)() end, { concurrency = 2 })
    s:race { part(2), part(1, true), part(2) }
    s:any { part(1, true), part(1.5) }
    s:parallel { part(1), part(0.5, true) }
  end)
end

-- Two workers, and jobs that are cut off.
scenarios["worker pool"] = function(new_stack)
  local own = new_stack()
  local _ <close> = own.push()
  local pool <close> = rille.worker_pool { workers = 2, queue = 1, results = 1,
    handler = function(seconds)
      local theirs = new_stack()
      local _ <close> = theirs.push(function() rille.sleep(0.25) end)
      rille.sleep(seconds)
      return seconds
    end }
  rille.scope(function(s)
    s:go({ daemon = true }, function()
      local theirs = new_stack()
      for _ in pool:results() do
        local _ <close> = theirs.push()
        rille.sleep(0.5)
      end
    end)
    for i = 1, 6 do pool:submit(i / 4) end
    pool:shutdown(0.5)
  end)
end

-- Stages with several workers, and a consumer that stops early.
scenarios["stages"] = function(new_stack)
  local own = new_stack()
  local _ <close> = own.push()
  local function stage(value)
    local theirs = new_stack()
    local _ <close> = theirs.push(function() rille.sleep(0.25) end)
    rille.sleep(value / 8)
    return value
  end
  local output <close> = rille.pipeline({ stage, workers = 2, ordered = true }, stage)(
    rille.fan_in(rille.fan_out({ 1, 2, 3, 4, 5, 6, 7, 8 }, 2, stage)))
  for _ = 1, 5 do output:recv() end
end

-- Resources that are made, checked, waited for and destroyed.
scenarios["resource pool"] = function(new_stack)
  local open = 0
  rille.scope(function(s)
    local pool = rille.resource_pool { max = 2, max_lifetime = 1, acquire_timeout = 2,
      create = function() rille.sleep(0.25) open = open + 1 return {} end,
      destroy = function() rille.sleep(0.25) open = open - 1 end,
      validate = function() rille.sleep(0.125) return true end }
    for i = 1, 5 do
      local own = new_stack()
      s:go(function()
        local _ <close> = own.push()
        pool:with(function()
          local _ <close> = own.push(function() rille.sleep(0.25) end)
          rille.sleep(i / 4)
        end)
      end)
    end
  end)
  if open ~= 0 then error(open .. " resources are left") end
end

-- A function that fails again and again.
scenarios["supervised"] = function(new_stack)
  local own, runs = new_stack(), 0
  local _ <close> = own.push()
  rille.supervise(function(s)
    local theirs = new_stack()
    runs = runs + 1
    s:go(function()
      local _ <close> = theirs.push(function() rille.sleep(0.25) end)
      rille.sleep(0.5)
      if runs < 3 then error("crash", 0) end
    end)
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
