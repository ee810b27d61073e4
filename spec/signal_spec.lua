-- signal_spec.lua - signals as values.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local run, uv = sys.run, rille.uv()

local function raise(name)
  uv.kill(math.tointeger(uv.os_getpid()), name)
end

describe("rille.signal", function()
  it("gives the name of each that comes", function()
    run(function()
      local signal <close> = rille.signal "sigusr1"
      raise "sigusr1"
      assert.equal("sigusr1", signal:recv())
      raise "sigusr1"
      assert.equal("sigusr1", signal:recv())
    end)
  end)

  it("knows names in any form", function()
    run(function()
      for _, name in ipairs {"usr1", "SIGUSR1", "USR1", "sigusr1"} do
        local signal <close> = rille.signal(name)
        assert.matches("^rille.signal: sigusr1", tostring(signal))
      end
    end)
  end)

  it("is one when it comes twice before anybody looks", function()
    run(function()
      local signal <close> = rille.signal "usr1"
      raise "sigusr1"
      while signal:size() == 0 do rille.sleep(0.001) end
      raise "sigusr1"
      while signal:dropped() == 0 do rille.sleep(0.001) end
      assert.equal("sigusr1", signal:recv())
      helper.refused("empty", signal:try_recv())
    end)
  end)

  it("can be iterated over and is a source of select", function()
    run(function()
      local hup <close> = rille.signal "hup"
      local usr <close> = rille.signal "usr1"
      raise "sighup"
      assert.same({2, "sighup"}, {rille.select {{usr}, {hup}}})
      raise "sigusr1"
      for name in usr do
        assert.equal("sigusr1", name)
        usr:close()
      end
    end)
  end)

  it("comes to all that watch it", function()
    run(function()
      local a <close> = rille.signal "usr1"
      local b <close> = rille.signal "usr1"
      raise "sigusr1"
      assert.same({"sigusr1", "sigusr1"}, {a:recv(), b:recv()})
      a:close()
      raise "sigusr1"
      assert.equal("sigusr1", b:recv())
    end)
  end)

  it("wakes who waits when it is closed", function()
    run(function()
      local signal = rille.signal "usr1"
      local waiter = helper.start(function() return signal:recv() end)
      signal:close()
      helper.refused("closed", waiter:await())
    end)
  end)

  it("can only be received from", function()
    run(function()
      local signal <close> = rille.signal "usr1"
      assert.is_nil(signal.send)
      helper.raises(function() rille.select {{signal, send = 1}} end,
        "only a channel can be sent to")
    end)
  end)

  it("raises for a name that is none, or that nobody can watch", function()
    run(function()
      helper.raises(function() rille.signal() end, "bad argument #1 to 'signal'")
      helper.raises(function() rille.signal "sigusr" end,
        "no signal 'sigusr'; did you mean 'sigusr1'")
      helper.raises(function() rille.signal "kill" end, "'sigkill' cannot be watched")
    end)
  end)

  it("keeps a program alive while a task waits on it", function()
    run(function()
      local signal <close> = rille.signal "usr1"
      local p <close> = assert(rille.process.spawn {"sh", "-c", "sleep 0.02; kill -USR1 $PPID"})
      local waiter = helper.start(function() return signal:recv() end)
      p:wait()
      assert.equal("sigusr1", waiter:await())
    end)
  end)

  it("is no deadlock for who waits on it, though all tasks wait", function()
    local output = sys.shell [[
      $RILLE -e 'local s <close> = rille.signal "usr1" print "ready" io.stdout:flush()
        print(s:recv())' >$DIR/out &
      while ! test -s $DIR/out; do sleep 0.01; done
      kill -USR1 $!; wait $!; cat $DIR/out]]
    assert.equal("ready\nsigusr1\n", output)
  end)

  it("hides no deadlock and stops no virtual clock when nobody waits on it", function()
    run({clock = "virtual"}, function()
      local signal <close> = rille.signal "usr1"
      rille.sleep(1000)
      assert.equal(0, signal:size())
    end)
    helper.raises_kind("deadlock", function()
      helper.run(function()
        local signal <close> = rille.signal "usr1"
        rille.channel():recv()
        signal:close()
      end)
    end)
  end)

  it("lets the clock go on after a wait", function()
    run(function()
      local signal <close> = rille.signal "usr1"
      assert.is_nil(rille.timeout(0.01, signal.recv, signal))
      local waiter = helper.start(signal.recv, signal)
      raise "sigusr1"
      assert.equal("sigusr1", waiter:await())
    end)
    run({clock = "virtual"}, function()
      local signal <close> = rille.signal "usr1"
      raise "sigusr1"
      assert.equal("sigusr1", signal:recv())
      rille.sleep(1000)
    end)
  end)

  it("is collected with its handle when it is forgotten", function()
    run(function()
      rille.signal "usr2"
      collectgarbage()
      collectgarbage()
    end)
  end)
end)

describe("the binary's own signals", function()
  it("are the script's while it watches them, and the binary's again after", function()
    local output = sys.shell [[
      $RILLE -e 'local s = rille.signal "int" print "ready" io.stdout:flush() print(s:recv())
        s:close() print "closed" io.stdout:flush() rille.sleep(100)' >$DIR/out 2>&1 &
      while ! grep -q ready $DIR/out; do sleep 0.01; done
      kill -INT $!
      while ! grep -q closed $DIR/out; do sleep 0.01; done
      kill -INT $!; wait $!; echo $?; cat $DIR/out]]
    assert.equal("130\nready\nsigint\nclosed\nrille: interrupted by SIGINT\n", output)
  end)

  it("leave SIGPIPE ignored after it was watched", function()
    assert.equal("true\n", (sys.script [[
      local rille = require "rille"
      local s = rille.signal "pipe"
      s:close()
      rille.uv().kill(math.tointeger(rille.uv().os_getpid()), "sigpipe")
      print(true)
    ]]))
  end)
end)
