-- A poll under random stops and starts: compared with a model to the instant,
-- and, where the stops and starts come from inside, held to what must hold.

local rille = require "rille"
local helper = require "spec.helper"
local run, generator = helper.run, helper.random

local seed = math.tointeger(tonumber(os.getenv "SEED")) or 20260101

local function note(log, event, time)
  log[#log + 1] = ("%s %.3f"):format(event, time)
end

-- The model: what the loop does now (`phase`), and until when. A call takes
-- `work`, its cleanup `cleanup`, a delivery `delivery`; no engine inside.
local Model = {}
Model.__index = Model

function Model.new(spans)
  return setmetatable({ spans = spans, phase = "none", log = {} }, Model)
end

function Model:enter(phase, ends)
  self.phase, self.ends = phase, ends
end

function Model:idle(now)
  self.stale = false
  if not self.running then return self:enter "none" end
  self:enter("wait", math.max(self.due, now))
end

function Model:finish_phase(now)
  local spans = self.spans
  if self.phase == "wait" then
    note(self.log, "call", now)
    self:enter("call", now + spans.work)
  elseif self.phase == "call" then
    note(self.log, "value", now)
    self:enter("deliver", now + spans.delivery)
  elseif self.phase == "deliver" and not self.stale then
    self.due = now + spans.interval
    self:enter("wait", self.due)
  else
    self:idle(now)
  end
end

function Model:advance(to)
  while self.phase ~= "none" and self.ends <= to do self:finish_phase(self.ends) end
end

function Model:stop(now)
  if not self.running then return end
  self.running = false
  if self.phase == "wait" then return self:enter "none" end
  self.stale = true
  if self.phase == "call" then self:enter("cleanup", now + self.spans.cleanup) end
end

function Model:start(now)
  if self.running then return end
  self.running = true
  self.due = self.spans.immediate and now or now + self.spans.interval
  if self.phase == "none" then self:enter("wait", self.due) end
end

local function start_poll(s, spans, log)
  return s:poll(function()
    note(log, "call", rille.now())
    local _ <close> = helper.closing(function(err)
      if err then rille.sleep(spans.cleanup) end
    end)
    rille.sleep(spans.work)
  end, function()
    note(log, "value", rille.now())
    rille.sleep(spans.delivery)
  end, { interval = spans.interval, immediate = spans.immediate })
end

-- Each operation has a fraction of a second of its own, so that nothing that
-- follows from one falls together with another.
local function compare(run_seed)
  local random = generator(run_seed)
  local spans = { work = random(1, 4), cleanup = random(1, 3), delivery = random(1, 3),
    interval = random(1, 4), immediate = random(1, 2) == 1 }
  local model, log = Model.new(spans), {}
  run(function()
    local p = start_poll(rille.root(), spans, log)
    model:start(0.0)
    for i = 1, 400 do
      rille.sleep_until(math.floor(rille.now()) + random(0, 5) + i / 1000)
      model:advance(rille.now())
      for _ = 1, random(1, 3) do
        local name = random(1, 2) == 1 and "stop" or "start"
        p[name](p)
        model[name](model, rille.now())
        assert.equal(model.running or false, p:status().running)
      end
    end
    rille.sleep(0.0001)
    model:advance(rille.now())
  end)
  assert.same(model.log, log, "SEED=" .. run_seed)
end

-- One poll whose functions stop and start it themselves.
local Wild = {}
Wild.__index = Wild

function Wild:disturb()
  for _ = 1, self.random(0, 2) do
    if self.random(1, 2) == 1 then
      if self.p:status().running then self.generation = self.generation + 1 end
      self.p:stop()
    else
      self.p:start()
    end
  end
end

-- Nothing else of the poll may run in the meantime.
function Wild:alone(fn)
  assert(self.inside == 0, "two at a time")
  self.inside = self.inside + 1
  local _ <close> = helper.closing(function(err)
    if err and not err.generation and self.random(1, 2) == 1 then rille.sleep(self.random(0, 2)) end
    self.inside = self.inside - 1
  end)
  return fn()
end

function Wild:call()
  return self:alone(function()
    local generation = self.generation
    if self.random(1, 4) == 1 then self:disturb() end
    rille.sleep(self.random(0, 2))
    if self.random(1, 8) == 1 then self:disturb() end
    self.ended = self.ended + 1
    if self.random(1, 3) > 1 then return generation end
    self.failed = self.failed + 1
    error({ generation = generation })
  end)
end

function Wild:delivered(generation)
  assert(generation == self.generation, "delivered after a stop")
  self:alone(function()
    if self.random(1, 4) == 1 then self:disturb() end
    rille.sleep(self.random(0, 2))
  end)
end

function Wild:start(s)
  self.p = s:poll(function() return self:call() end,
    function(generation) self:delivered(generation) end, {
      interval = 1, immediate = self.random(1, 2) == 1, jitter = 0.5,
      on_error = function(err) self:delivered(err.generation or error(err, 0)) end,
    })
end

local function run_wild(run_seed)
  local wild = setmetatable({ random = generator(run_seed), generation = 0, inside = 0,
    ended = 0, failed = 0 }, Wild)
  run({ seed = run_seed }, rille.scope, function(s)
    wild:start(s)
    for _ = 1, 300 do
      rille.sleep(wild.random(0, 30) / 10)
      wild:disturb()
      local status = wild.p:status()
      assert.equal(wild.ended, status.poll_count)
      assert.equal(wild.failed, status.error_count)
      assert.is_true(s:active() <= 1)
    end
    s:cancel()
  end)
  assert.equal(0, wild.inside)
  assert.is_false(wild.p:status().running)
end

describe("a poll under random stops and starts", function()
  it("does what the model does, to the instant", function()
    for i = 1, 20 do compare(seed + i) end
  end)

  it("never has two loops, and its counts add up", function()
    for i = 1, 20 do
      local ok, err = pcall(run_wild, seed + i)
      if not ok then error("SEED=" .. seed + i .. ": " .. tostring(err)) end
    end
  end)
end)
