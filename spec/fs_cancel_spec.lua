-- fs_cancel_spec.lua - file requests in tasks that are cancelled, and without
-- descriptors: nothing is left behind.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local fs, run = rille.fs, sys.run

-- Cancels a task that runs fn() after 0, 1, 2 ... turns.
local function cancel_everywhere(turns, fn)
  for n = 0, turns do
    rille.scope(function(s)
      s:go(fn)
      for _ = 1, n do rille.sleep(0) end
      s:cancel()
    end)
  end
end

describe("a cancelled request", function()
  it("leaves no descriptor of an open", function()
    run(function(dir)
      cancel_everywhere(20, function()
        local file <close> = fs.open(dir .. "/a", "w")
        file:write "x"
        file:sync()
      end)
    end)
  end)

  it("leaves no temporary thing", function()
    run(function(dir)
      cancel_everywhere(20, function()
        local temp <close> = fs.temp_dir {dir = dir}
        local file <close> = fs.temp_file {dir = dir}
        fs.write_file(temp:path() .. "/a", file:path())
      end)
      assert.same({}, fs.readdir(dir))
    end)
  end)

  it("raises before it begins in a cancelled task", function()
    run(function(dir)
      rille.scope(function(s)
        s:cancel()
        helper.raises_kind("cancelled", function() fs.open(dir .. "/a", "w") end)
      end)
      assert.is_false(fs.exists(dir .. "/a"))
    end)
  end)

  it("is waited for, and what it brings is released", function()
    run(function(dir)
      local fifo, log = dir .. "/fifo", helper.log()
      assert(rille.process.run({"mkfifo", fifo}, {check = true}))
      rille.scope(function(s)
        local cancelled = rille.event()
        local inner = s:task(function()
          rille.scope(function(own)
            own:go(function()
              local _ <close> = helper.closing(function() log "left" end)
              fs.open(fifo) -- until somebody opens the other end
            end)
            rille.yield()
            fs.stat(dir) -- what has begun before it is in a thread now
            own:cancel()
            cancelled:set()
          end)
        end)
        cancelled:wait()
        for _ = 1, 5 do fs.stat(dir) end
        log "opening"
        local writer = assert(fs.open(fifo, "r+"))
        inner:await()
        writer:close()
      end)
      assert.equal("opening left", helper.text(log))
    end)
  end)

  it("keeps what a read has brought for the next one", function()
    run(function(dir)
      assert(rille.process.run({"mkfifo", dir .. "/fifo"}, {check = true}))
      local file <close> = assert(fs.open(dir .. "/fifo", "r+"))
      rille.scope(function(s)
        local reader = helper.start(file.read, file)
        fs.stat(dir) -- the reading is in a thread now
        reader:cancel()
        s:go(function()
          local other <close> = assert(fs.open(dir .. "/fifo", "w"))
          other:write "kept\n"
        end)
        helper.refused("cancelled", reader:await())
      end)
      assert.equal("kept", file:read "l")
    end)
  end)

  it("obeys a deadline", function()
    run(function(dir)
      local _, err = rille.timeout(0, function() return fs.readdir(dir) end)
      assert.is_true(rille.is_error(err, "timeout"))
    end)
  end)
end)

describe("without descriptors", function()
  it("every call fails with EMFILE and works again afterwards", function()
    local output, status = sys.script([[
      local rille = require "rille"
      local fs = rille.fs
      fs.stat "." -- libuv's threads
      local dir <close> = assert(fs.temp_dir())
      local path = dir:path() .. "/a"
      fs.write_file(path, "text")
      local files, err = {}
      repeat
        local file, failed = fs.open(path)
        files[#files + 1], err = file, failed
      until not file
      print(err.kind, err.code)
      for _, call in ipairs {
        function() return fs.read_file(path) end,
        function() return fs.write_file(path, "new") end,
        function() return fs.readdir(dir:path()) end,
        function() return fs.temp_file() end,
        function() return rille.process.run {"true"} end,
        function() return rille.process.run({"true"}, {stderr = "merge"}) end,
        function() return rille.process.spawn {"true"} end,
      } do
        local value, failed = call()
        print(value, failed.code)
      end
      for _, file in ipairs(files) do file:close() end
      print(fs.read_file(path), rille.process.run({"true"}).status)
    ]], "ulimit -n 32")
    assert.equal("io\tEMFILE\n" .. ("nil\tEMFILE\n"):rep(7) .. "text\t0\n", output)
    assert.equal(0, status)
  end)
end)
