-- With too few descriptors, processes, memory or room in a file: the error goes to
-- who asked, the others go on, the loop does not spin, and all is well again as
-- soon as there is some. Each case is a process of its own, with its limit.
local setting = require "spec.torture.setting"
local sys = require "spec.sys_helper"

local attempts = setting.size(300, 10000)

local function says(expected, script, before)
  local output, status = sys.script("local rille = require 'rille'\n" .. script, before)
  assert.equal(expected, output)
  assert.equal(0, status)
end

-- Of another user, for whom the number of processes is limited; the limit is the
-- kernel's for that user, so it is one that has none running. Returns nil where
-- we cannot be such a user.
local function as_nobody(limit, script)
  local path = os.tmpname()
  do
    local file <close> = assert(io.open(path, "w"))
    file:write("local rille = require 'rille'\n", script)
  end
  local output = sys.shell(([[
    chmod 644 %s; id=$((20000 + $$ %% 40000))
    as_nobody() { setpriv --reuid=$id --regid=$id --clear-groups "$@"; }
    as_nobody $RILLE -e 'io.write "able\n"' 2>/dev/null || exit
    prlimit --pid $$ --nproc=%d; as_nobody $RILLE %s 2>&1]]):format(path, limit, path))
  os.remove(path)
  return output:match "^able\n(.*)"
end

-- Defines turns(), the times that the loop has turned: one that spins has turned
-- very often, whatever it was that it had to wait for.
local counting = [[
  local prepare, turned = rille.uv().new_prepare(), 0
  prepare:start(function() turned = turned + 1 end)
  prepare:unref()
  local function turns() return turned end
]]

describe("with 64 descriptors", function()
  it("connections beyond them fail, all others work, nothing spins", function()
    says("every attempt settled\nsome refused, others connected\nidle\nrecovered\n", [[
      local net, N = require "rille.net", ]] .. attempts .. counting .. [[

      local listener <close> = net.listen("127.0.0.1", 0, function(conn) conn:read_all() end)
      local port, ok, refused, other = listener:port(), 0, 0, 0
      rille.scope({ concurrency = 70 }, function(s)
        for i = 1, N do
          s:go(function()
            -- The listener has no descriptors either, so its queue may be full.
            local conn, err = net.connect("127.0.0.1", port, { timeout = 5 })
            if conn then
              ok = ok + 1
              rille.sleep(0.001)
              conn:close()
            elseif err.code == "EMFILE" or err.kind == "timeout" then
              refused = refused + 1
            else
              other = other + 1
            end
          end)
        end
      end)
      print(ok + refused == N and "every attempt settled" or ok .. " " .. refused .. " " .. other)
      print(refused > 0 and ok > 0 and "some refused, others connected" or ok .. " " .. refused)
      -- As many as there are descriptors, held while nothing happens.
      local held = {}
      repeat
        local conn = net.connect("127.0.0.1", port, { timeout = 1 })
        held[#held + 1] = conn
      until not conn
      local function counted() return turns() + listener:stats().pauses end
      local before = counted()
      rille.sleep(0.4)
      local busy = counted() - before
      print(busy < 200 and "idle" or busy .. " turns and pauses")
      for _, conn in ipairs(held) do conn:close() end
      -- As soon as the listener's handlers have seen it.
      local again
      repeat
        rille.sleep(0.01)
        again = net.connect("127.0.0.1", port, { timeout = 1 })
      until again
      again:close()
      print "recovered"]], "ulimit -n 64")
  end)
end)

describe("with a limited number of processes", function()
  it("one too many fails with EAGAIN, the others run, and later ones do", function()
    local output = as_nobody(8, [[
      local process, codes, running, over = rille.process, {}, 0, rille.event()
      local failed = 0
      rille.scope(function(s)
        for i = 1, 30 do
          s:go(function()
            local p <close>, err = process.spawn({"cat"}, {stdout = "null", stderr = "null"})
            if p then running = running + 1 else codes[err.code] = true failed = failed + 1 end
            if running + failed == 30 then over:set() end
            over:wait()
          end)
        end
      end)
      for code in pairs(codes) do print(code) end
      print(running > 0 and failed > 0 and "some", process.run({"true"}).status)]])
    if not output then pending "there is no user to be" return end
    assert.equal("EAGAIN\nsome\t0\n", output)
  end)
end)

describe("with little memory", function()
  it("the error is that of the task which asked for it; the others go on", function()
    -- A sanitizer's own needs are beyond any limit.
    if sys.shell "(ulimit -v 200000; $RILLE -e 'io.write(1)') 2>/dev/null" ~= "1" then return end
    says("not enough memory\tnot enough memory\n100\ntrue\n", [[
      local errors, ticks = {}, 0
      rille.scope(function(s)
        local greedy = {}
        for i = 1, 2 do
          greedy[i] = s:task(function()
            local list = {}
            while true do
              list[#list + 1] = ("x"):rep(1000000) .. #list
              if #list % 10 == 0 then rille.yield() end
            end
          end)
        end
        s:go(function() for _ = 1, 100 do ticks = ticks + 1 rille.yield() end end)
        for i = 1, 2 do errors[i] = tostring(select(2, greedy[i]:await())) end
      end)
      print(errors[1], errors[2])
      print(ticks)
      collectgarbage()
      print(#("x"):rep(50000000) == 50000000)]], "ulimit -v 200000")
  end)
end)

describe("with no room in the file system", function()
  it("write_file changes nothing and says why", function()
    if sys.shell "id -u" ~= "0\n" then return end
    local output = sys.shell [[
      d=$(mktemp -d)
      mount -t tmpfs -o size=64k none $d 2>/dev/null || { echo skip; rmdir $d; exit; }
      cat >$d.lua <<END
        local rille = require "rille"
        local fs, path = rille.fs, "$d/a"
        fs.write_file(path, "old")
        local ok, err = fs.write_file(path, ("x"):rep(200000))
        print(ok, err.kind, err.code)
        print(fs.read_file(path), #fs.readdir("$d"))
        local file <close> = fs.open("$d/b", "w")
        print(select(2, file:write(("x"):rep(200000))).code)
        file:close()
        fs.remove("$d/b")
        print(fs.write_file(path, ("y"):rep(20000)), #fs.read_file(path))
END
      $RILLE $d.lua 2>&1; umount $d; rmdir $d; rm $d.lua]]
    if output == "skip\n" then return end
    assert.equal("nil\tio\tENOSPC\nold\t1\nENOSPC\ntrue\t20000\n", output)
  end)
end)
