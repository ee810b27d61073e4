-- process_spawn_spec.lua - programs that one talks to, and how they end.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local process, run = rille.process, sys.run

local function sh(text, opts)
  return assert(process.spawn({"sh", "-c", text}, opts))
end

-- A program that ignores TERM, and says when it does.
local function stubborn(opts)
  local p = sh("trap '' TERM; echo ready; while :; do sleep 0.01; done", opts)
  assert.equal("ready", p:stdout():read "l")
  return p
end

describe("process.spawn", function()
  it("talks through pipes", function()
    run(function()
      local p <close> = assert(process.spawn {"cat"})
      for _, word in ipairs {"one", "two"} do
        assert.is_true(p:stdin():write(word .. "\n"))
        assert.equal(word, p:stdout():read "l")
      end
      p:stdin():close()
      helper.refused("closed", p:stdout():read())
      assert.same({status = 0}, p:wait())
    end)
  end)

  it("reads errors apart, or with the rest", function()
    run(function()
      local p <close> = sh("echo out; echo err >&2", {stderr = "pipe"})
      assert.same({"out\n", "err\n"}, {p:stdout():read "a", p:stderr():read "a"})
      local q <close> = sh("echo out; echo err >&2", {stderr = "merge"})
      assert.same({"out\nerr\n", nil}, {q:stdout():read_all(), q:stderr()})
    end)
  end)

  it("has streams only where there are pipes", function()
    run(function()
      local p <close> = sh("true", {stdin = "null", stdout = "null", stderr = "null"})
      assert.same({}, {p:stdin(), p:stdout(), p:stderr()})
    end)
  end)

  it("slows a program down whose output nobody reads", function()
    run(function(dir)
      local p <close> = sh("yes | head -c 4000000; touch " .. dir .. "/done")
      assert.equal("y", p:stdout():read "l")
      rille.sleep(0.05) -- an engine that reads on has read it by then
      assert.is_false(rille.fs.exists(dir .. "/done"))
      assert.equal(4000000 - 2, #p:stdout():read "a")
      sys.await_file(dir .. "/done")
    end)
  end)

  it("tells of a write that nobody reads", function()
    run(function()
      local p <close> = sh "exec <&-; echo closed; exec sleep 1000"
      p:stdout():read "l"
      assert.equal("EPIPE", helper.refused("io", p:stdin():write "x").code)
    end)
  end)

  it("wakes who reads or writes when the stream is closed", function()
    run(function()
      local p <close> = assert(process.spawn {"sleep", "1000"})
      local reader = helper.start(function() return p:stdout():read() end)
      local writer = helper.start(function() return p:stdin():write(("x"):rep(1000000)) end)
      p:stdout():close()
      p:stdin():close()
      helper.refused("closed", reader:await())
      helper.refused("closed", writer:await())
      helper.refused("closed", p:stdin():write "x")
    end)
  end)

  it("is read by one task at a time", function()
    run(function()
      local p <close> = assert(process.spawn {"cat"})
      local first = helper.start(function() return p:stdout():read() end)
      rille.yield()
      helper.raises(function() p:stdout():read() end, "another task reads")
      p:stdin():write "x"
      assert.equal("x", first:await())
    end)
  end)

  it("is a case of a select, and a source of a stream", function()
    run(function()
      local p <close> = sh "echo one; read line; echo two"
      assert.same({2, "one\n"}, {rille.select {{rille.channel()}, {p:stdout()}}})
      assert.is_nil((rille.select({{p:stdout()}}, {timeout = 0.01})))
      p:stdin():write "\n"
      assert.same({"two\n"}, rille.stream(p:stdout()):collect())
    end)
  end)

  it("reads lines as a file does: of any length, with what is before the end", function()
    run(function()
      local p <close> = sh [[printf 'a\r\n'; head -c 70000 /dev/zero; printf '\nb;c']]
      assert.equal("a\r", p:stdout():read_line())
      assert.equal(70000, #p:stdout():read "l")
      assert.same({"b", "c"}, {p:stdout():read_until ";", p:stdout():read_until ";"})
      helper.refused("closed", p:stdout():read_until ";")
    end)
  end)

  it("ends its input with shutdown", function()
    run(function()
      local p <close> = assert(process.spawn {"cat"})
      p:stdin():write "x"
      assert.is_true(p:stdin():shutdown())
      assert.equal("x", p:stdout():read "a")
    end)
  end)

  it("leaves what it has written when its scope ends", function()
    run(function()
      local p = rille.scope(function()
        local child = sh "echo said"
        child:wait()
        return child
      end)
      assert.equal("said\n", p:stdout():read "a")
      p:close()
    end)
  end)

  it("loses nothing of a read that is cancelled", function()
    run(function()
      local p <close> = assert(process.spawn {"cat"})
      p:stdin():write "half "
      assert.is_nil(rille.timeout(0.02, function() return p:stdout():read "l" end))
      p:stdin():write "line\n"
      assert.equal("half line", p:stdout():read "l")
    end)
  end)

  describe("wait", function()
    it("returns the same to all who wait, and later", function()
      run(function()
        local p <close> = sh "read line; exit 4"
        local tasks = {}
        for i = 1, 3 do tasks[i] = helper.start(p.wait, p) end
        p:stdin():write "\n"
        for i = 1, 3 do assert.same({status = 4}, (tasks[i]:await())) end
        assert.same({status = 4}, p:wait())
      end)
    end)

    it("can be a case of a select", function()
      run(function()
        local p <close> = sh "exit 5"
        assert.equal(1, (rille.select {{p:exited()}, {rille.channel()}}))
        assert.equal(5, p:wait().status)
      end)
    end)

    it("leaves the program running when it is cancelled", function()
      run(function()
        local p <close> = assert(process.spawn {"cat"})
        assert.is_nil(rille.timeout(0.01, p.wait, p))
        assert.is_true(sys.lives(p:pid()))
      end)
    end)
  end)

  describe("kill", function()
    it("sends a signal", function()
      run(function()
        local p <close> = assert(process.spawn {"sleep", "1000"})
        assert.is_true(p:kill())
        assert.same({signal = "sigterm"}, p:wait())
        local q <close> = assert(process.spawn {"sleep", "1000"})
        q:kill "SIGHUP"
        assert.same({signal = "sighup"}, q:wait())
      end)
    end)

    it("refuses a program that has ended, and a signal that is none", function()
      run(function()
        local p <close> = sh "true"
        p:wait()
        helper.refused("closed", p:kill "kill")
        helper.raises(function() p:kill "sigterrm" end, "did you mean 'sigterm'")
      end)
    end)
  end)

  describe("close", function()
    it("ends the program, once", function()
      run(function()
        local p = assert(process.spawn({"sleep", "1000"}, {grace = 100}))
        assert.same({signal = "sigterm"}, p:close())
        assert.same({signal = "sigterm"}, p:close())
        helper.refused("closed", p:stdout():read())
        assert.matches("sleep %(pid %d+, ended by sigterm%)$", tostring(p))
      end)
    end)

    it("gives it the time to end by itself", function()
      run(function()
        local p = sh("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done", {grace = 100})
        p:stdout():read "l"
        assert.same({status = 7}, p:close())
      end)
    end)

    it("kills one that ignores TERM, after the grace", function()
      run(function()
        local p = stubborn {grace = 0.05}
        assert.same({signal = "sigkill"}, p:close())
      end)
    end)

    it("does so under a virtual clock, too", function()
      run({clock = "virtual"}, function()
        assert.same({signal = "sigkill"}, stubborn({grace = 0.05}):close())
      end)
    end)

    it("reaches one that is stopped", function()
      run(function()
        local p = assert(process.spawn({"sleep", "1000"}, {grace = 0.05}))
        p:kill "stop"
        assert.is_string(p:close().signal)
      end)
    end)

    it("reaches the whole group", function()
      run(function()
        local p = sh("sleep 100 & echo $!; wait", {group = true})
        local child = tonumber(p:stdout():read "l")
        assert.is_true(sys.lives(child))
        p:close()
        while sys.lives(child) do rille.sleep(0.002) end
      end)
    end)

    it("kills what is left of the group when its leader has ended", function()
      run(function()
        local p = sh([[(trap '' TERM; echo ready; while :; do sleep 0.01; done) &
          echo $!; wait]], {group = true, grace = 100})
        local first, second = p:stdout():read "l", p:stdout():read "l"
        local child = tonumber(first) or tonumber(second)
        assert.same({signal = "sigterm"}, p:close())
        while sys.lives(child) do rille.sleep(0.002) end
      end)
    end)

    it("waits in a cancelled task for longer than the scope's grace", function()
      run(function()
        local p = stubborn {grace = 0.1}
        rille.scope({grace = 0.01}, function(s)
          s:cancel()
          pcall(rille.yield)
          assert.same({signal = "sigkill"}, p:close())
        end)
      end)
    end)
  end)

  it("belongs to its scope", function()
    run(function()
      local p
      rille.scope(function() p = assert(process.spawn({"sleep", "1000"}, {grace = 100})) end)
      assert.same({signal = "sigterm"}, p:wait())
    end)
  end)

  it("is forgotten by its scope when it has ended", function()
    run(function()
      local weak = setmetatable({}, {__mode = "v"})
      weak[1] = sh "true"
      weak[1]:wait()
      collectgarbage()
      collectgarbage()
      assert.is_nil(weak[1])
    end)
  end)

  it("goes on when it is forgotten, to be reaped with its scope", function()
    run(function()
      rille.scope(function()
        sh "exec sleep 1000"
        collectgarbage()
        collectgarbage()
      end)
    end)
  end)
end)
