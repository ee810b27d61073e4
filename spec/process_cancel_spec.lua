-- process_cancel_spec.lua - programs of tasks that are cancelled.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local process, run = rille.process, sys.run

describe("a cancelled run", function()
  it("ends the program, and waits for it", function()
    run(function(dir)
      local pid
      rille.scope(function(s)
        s:go(process.run, {"sh", "-c", "echo $$ >a; mv a pid; exec sleep 1000"}, {cwd = dir})
        sys.await_file(dir .. "/pid")
        pid = tonumber((rille.fs.read_file(dir .. "/pid")))
        assert.is_true(sys.lives(pid))
        s:cancel()
      end)
      assert.is_false(sys.lives(pid))
    end)
  end)

  it("obeys a deadline", function()
    run(function()
      helper.refused("timeout", rille.timeout(0.02, process.run, {"sleep", "1000"}))
    end)
  end)

  it("kills a program that ignores TERM", function()
    run(function(dir)
      rille.scope(function(s)
        s:go(process.run, {"sh", "-c", "trap '' TERM; echo $$ >" .. dir ..
          "/pid; while :; do sleep 0.01; done"}, {grace = 0.05})
        sys.await_file(dir .. "/pid")
        s:cancel()
      end)
    end)
  end)

  it("leaves nothing, whenever it is cancelled", function()
    run(function()
      for turns = 0, 25 do
        rille.scope(function(s)
          s:go(process.run, {"cat"}, {stdin = ("x"):rep(200000), grace = 0.05})
          for _ = 1, turns do rille.sleep(0) end
          s:cancel()
        end)
      end
    end)
  end)

  it("does not start in a cancelled task", function()
    run(function(dir)
      rille.scope(function(s)
        s:cancel()
        process.run {"touch", dir .. "/a"}
      end)
      process.run {"true"} -- as long as it takes to start one
      assert.is_false(rille.fs.exists(dir .. "/a"))
    end)
  end)

  it("can be used in cleanup", function()
    run(function(dir)
      rille.scope(function(s)
        s:defer(function() process.run {"touch", dir .. "/deferred"} end)
        local _ <close> = helper.closing(function() process.run {"touch", dir .. "/closed"} end)
        s:cancel()
        rille.yield()
      end)
      assert.is_true(rille.fs.exists(dir .. "/deferred"))
      assert.is_true(rille.fs.exists(dir .. "/closed"))
    end)
  end)

  it("is ended with the binary by SIGTERM", function()
    local output = sys.shell [[
      $RILLE -e 'local p = rille.process.spawn({"sh", "-c", "echo $$; exec sleep 1000"})
        print(p:stdout():read "l") io.stdout:flush() p:wait()' 2>/dev/null >$DIR/pid &
      while ! test -s $DIR/pid; do sleep 0.01; done
      kill $!; wait $!; echo $?
      kill -0 $(cat $DIR/pid) 2>/dev/null || echo gone]]
    assert.equal("143\ngone\n", output)
  end)
end)
