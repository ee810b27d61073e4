-- Storms of child processes: started, stopped, continued, killed and cancelled at
-- random, while signals come in. Each child's end is told exactly, and nothing is
-- left: no zombie, no descriptor, no handle (spec/sys_helper.lua looks).
local rille = require "rille"
local helper = require "spec.helper"
local setting = require "spec.torture.setting"
local sys = require "spec.sys_helper"

local process, uv, run = rille.process, rille.uv(), sys.run
local spawns = setting.size(100, 10000)
local LIVE = 50
local quiet = { stdin = "null", stdout = "null" }

local function with(opts)
  return setmetatable(opts, { __index = quiet })
end

-- A child that lives until it is killed.
local function sleeper(opts)
  local o = { stdin = "null", stdout = "null", grace = 100 }
  for key, value in pairs(opts or {}) do o[key] = value end
  return assert(process.spawn({ "sleep", "600" }, o))
end

-- What may be done with a child; each returns what went wrong, or nil.
local fates = {}

function fates.exits(random)
  local status = random(0, 120)
  local result = assert(process.run({ "sh", "-c", "exit " .. status }, with {}))
  return result.status ~= status and ("status %s for %d"):format(result.status, status)
end

function fates.is_signalled(random)
  local p <close> = sleeper()
  for _ = 1, random(0, 6) do
    p:kill(random(2) == 1 and "sigstop" or "sigcont")
    if random(3) == 1 then rille.yield() end
  end
  -- TERM stays pending in a stopped process until it is continued.
  local last = random(2) == 1 and "sigkill" or "sigterm"
  p:kill(last)
  p:kill "sigcont"
  local result = p:wait()
  return result.signal ~= last and ("signal %s for %s"):format(result.signal, last)
end

function fates.is_cancelled(random)
  local p
  local value, err = rille.timeout(random(0, 4) / 1000, function()
    p = sleeper()
    return p:wait()
  end)
  local result = p and p:wait()
  if value or err.kind ~= "timeout" then return "not timed out" end
  return result and result.signal ~= "sigterm" and ("signal %s of one closed"):format(result.signal)
end

function fates.ignores_term()
  local p = assert(process.spawn({ "sh", "-c", "trap '' TERM; echo; exec sleep 600" },
    { stdin = "null", grace = 0.02 }))
  p:stdout():read_line()
  local result = p:close()
  return result.signal ~= "sigkill" and ("signal %s in spite of TERM"):format(result.signal)
end

-- The group goes, children's children included.
function fates.forks()
  local p = assert(process.spawn({ "sh", "-c", "sleep 600 & echo $!; sleep 600 & wait" },
    { stdin = "null", group = true }))
  local grandchild = tonumber((p:stdout():read_line()))
  p:close()
  return sys.in_the_end(function()
    return sys.lives(grandchild) and "a child's child is left" or nil
  end)
end

-- Waited for, told of and closed more than once.
function fates.is_reaped_twice()
  local p = assert(process.spawn({ "true" }, quiet))
  local first, second = p:wait(), p:wait()
  p:close()
  p:close()
  local killed, err = p:kill()
  return (first.status ~= 0 or second.status ~= 0 or killed or err.kind ~= "closed")
    and "not the same twice"
end

local names = { "exits", "exits", "exits", "exits", "is_signalled", "is_signalled",
  "is_signalled", "is_cancelled", "is_cancelled", "ignores_term", "forks", "is_reaped_twice" }

-- Our own signals, all the while; those that tell of children are told too often.
local function send_signals(random)
  local me = uv.os_getpid()
  while true do
    uv.kill(me, random(2) == 1 and "sigchld" or "sigusr1")
    rille.sleep(0.002)
  end
end

describe("a storm of processes", function()
  it("tells each end exactly, and leaves nothing", function()
    local seed = setting.seed(20260111)
    local random, wrong, seen, began = helper.random(seed), {}, {}, os.time()
    run(function()
      local usr1 <close> = rille.signal "usr1"
      rille.scope(function(outer)
        outer:go({ daemon = true }, send_signals, random)
        outer:go({ daemon = true }, function() for _ in usr1 do seen.usr1 = true end end)
        rille.scope({ concurrency = LIVE }, function(s)
          for i = 1, spawns do
            local name = names[random(#names)]
            seen[name] = (seen[name] or 0) + 1
            s:go(function()
              local fault = fates[name](random)
              if fault then wrong[#wrong + 1] = ("SEED=%d, %d: %s"):format(seed, i, fault) end
            end)
          end
        end)
      end)
    end)
    assert.same({}, wrong)
    assert.is_true(seen.usr1)
    setting.note("processes: %d children, SEED=%d, %d s", spawns, seed, os.time() - began)
  end)

  it("is over with its scope, whatever signals come in meanwhile", function()
    run(function()
      local ints = 0
      local int <close> = rille.signal "int"
      for _ = 1, setting.size(2, 30) do
        local children = {}
        rille.scope(function(outer)
          outer:go({ daemon = true }, function() for _ in int do ints = ints + 1 end end)
          outer:go({ daemon = true }, function()
            local me = uv.os_getpid()
            while true do
              uv.kill(me, "sigint")
              uv.kill(me, "sigchld")
              rille.yield()
            end
          end)
          rille.scope(function(s)
            for i = 1, LIVE do
              s:go(function()
                children[i] = sleeper { grace = 0.5 }
                children[i]:wait()
              end)
            end
            rille.sleep(0.005)
            s:cancel()
          end)
        end)
        for i, child in ipairs(children) do
          assert.is_false(sys.lives(child:pid()), "child " .. i)
        end
      end
      assert.is_true(ints > 0)
    end)
  end)
end)

describe("the binary, interrupted with children", function()
  it("ends them, cancels and is gone", function()
    local output, status = sys.script([[
      local rille = require "rille"
      local me = math.tointeger(rille.uv().os_getpid())
      local ok, err = pcall(rille.scope, function(s)
        for _ = 1, 20 do s:go(rille.process.run, {"sleep", "600"}) end
        rille.sleep(0.01)
        s:go(rille.process.run, {"sh", "-c", "kill -INT " .. me})
      end)
      print(rille.is_error(err, "cancelled"), err.reason.kind)
      local uv, children = rille.uv(), 0
      for name in uv.fs_scandir_next, uv.fs_scandir "/proc" do
        local file = name:find "^%d+$" and io.open("/proc/" .. name .. "/stat")
        local parent = file and file:read "a":match "%) %a (%d+)"
        if file then file:close() end
        if parent == tostring(me) then children = children + 1 end
      end
      print(children)
      error(err, 0)]])
    assert.equal("true\tinterrupted\n0\n", output:match "^.-\n.-\n")
    assert.equal(130, status)
  end)
end)
