-- fs_watch_spec.lua - changes of files.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local fs, run = rille.fs, sys.run

describe("fs.watch", function()
  it("tells what changes in a directory", function()
    run(function(dir)
      local watch <close> = assert(fs.watch(dir))
      fs.open(dir .. "/a", "w"):close()
      local event = watch:recv()
      assert.same({kind = "rename", name = "a", path = dir .. "/a"}, event)
    end)
  end)

  it("tells when a file is written", function()
    run(function(dir)
      local file <close> = assert(fs.open(dir .. "/a", "w"))
      local watch <close> = assert(fs.watch(dir .. "/a"))
      rille.root():go(file.write, file, "x")
      local event = watch:recv()
      assert.same({"change", dir .. "/a"}, {event.kind, event.path})
    end)
  end)

  it("is a source of select and of for", function()
    run(function(dir)
      local watch <close> = assert(fs.watch(dir))
      fs.mkdir(dir .. "/a")
      local which, event = rille.select {{watch}, {rille.channel()}}
      assert.same({1, "a"}, {which, event.name})
      fs.mkdir(dir .. "/b")
      for other in watch do
        assert.equal("b", other.name)
        watch:close()
      end
    end)
  end)

  it("ends for who waits when it is closed", function()
    run(function(dir)
      local watch = assert(fs.watch(dir))
      local waiter = helper.start(function() return watch:recv() end)
      watch:close()
      watch:close()
      helper.refused("closed", waiter:await())
      assert.is_true(watch:is_closed())
    end)
  end)

  it("drops the oldest when nobody reads, and counts them", function()
    run(function(dir)
      local watch <close> = assert(fs.watch(dir, {buffer = 2}))
      for i = 1, 4 do fs.mkdir(dir .. "/" .. i) end
      while watch:dropped() < 2 do rille.sleep(0.001) end
      local events = watch:recv_many(5)
      assert.same({"3", "4"}, {events[1].name, events[2].name})
      helper.refused("empty", watch:try_recv())
      assert.equal(2, watch:stats().dropped)
    end)
  end)

  it("fails where there is nothing", function()
    run(function(dir)
      assert.equal("ENOENT", helper.refused("io", fs.watch(dir .. "/none")).code)
    end)
  end)

  it("does not keep a program alive when nobody waits on it", function()
    run({clock = "virtual"}, function(dir)
      local watch <close> = assert(fs.watch(dir))
      rille.sleep(1000)
      assert.equal(0, watch:size())
    end)
    helper.raises_kind("deadlock", function()
      helper.run(function()
        local watch <close> = assert(fs.watch ".")
        rille.channel():recv()
        watch:close()
      end)
    end)
  end)

  it("is collected with its handle when it is forgotten", function()
    run(function(dir)
      fs.watch(dir)
      collectgarbage()
      collectgarbage()
    end)
  end)
end)
