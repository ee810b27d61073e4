-- libuv removes what a copy goes to when that fails: an old file was lost, and
-- whatever else had the name, a device even.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local fs, run = rille.fs, sys.run

describe("a copy that fails", function()
  it("leaves the old file as it was", function()
    run(function(dir)
      assert(fs.write_file(dir .. "/old", "old"))
      assert(fs.mkdir(dir .. "/d"))
      local err = helper.refused("io", fs.copy(dir .. "/d", dir .. "/old"))
      assert.equal("EISDIR", err.code)
      assert.matches("/d %-> .*/old %(EISDIR%)$", err.message)
      assert.equal("ENOENT", helper.refused("io", fs.copy(dir .. "/none", dir .. "/old")).code)
      assert.equal("old", fs.read_file(dir .. "/old"))
      assert.equal(2, #fs.readdir(dir))
    end)
  end)

  it("leaves it when the disk is full", function()
    assert.equal("EFBIG\told\t2\n", sys.script([[
      local fs = require "rille".fs
      local dir <close> = assert(fs.temp_dir())
      local old = dir:path() .. "/old"
      assert(fs.write_file(old, "old"))
      assert(fs.symlink(old, dir:path() .. "/link"))
      print(select(2, fs.copy("/bin/sh", dir:path() .. "/link")).code, fs.read_file(old),
        #fs.readdir(dir:path()))
    ]], "ulimit -f 8"))
  end)

  it("leaves what is no file as it was", function()
    run(function(dir)
      assert(fs.write_file(dir .. "/a", "a"))
      assert(rille.process.run({"mkfifo", dir .. "/fifo"}, {check = true}))
      local mode = fs.stat(dir .. "/fifo").mode
      assert.equal("EINVAL", helper.refused("io", fs.copy(dir .. "/a", dir .. "/fifo")).code)
      assert.same({"fifo", mode}, {fs.stat(dir .. "/fifo").type, fs.stat(dir .. "/fifo").mode})
      assert.equal("EISDIR", helper.refused("io", fs.copy(dir .. "/a", dir)).code)
    end)
  end)
end)

describe("a copy onto an old file", function()
  it("takes its place, with the rights of the new one; a link stays a link", function()
    run(function(dir)
      assert(fs.write_file(dir .. "/a", "new", {mode = tonumber("640", 8)}))
      assert(fs.write_file(dir .. "/b", "old"))
      assert(fs.symlink("b", dir .. "/link"))
      assert(fs.copy(dir .. "/a", dir .. "/link"))
      assert.equal("link", fs.lstat(dir .. "/link").type)
      assert.same({"new", tonumber("640", 8)},
        {fs.read_file(dir .. "/b"), fs.stat(dir .. "/b").mode & 511})
      assert(fs.copy(dir .. "/a", dir .. "/a"))
      assert.equal("new", fs.read_file(dir .. "/a"))
    end)
  end)
end)
