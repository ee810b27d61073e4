-- fs_save_spec.lua - write_file: all of it or nothing.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local fs, run = rille.fs, sys.run

local function names(dir)
  local list = {}
  for i, entry in ipairs(assert(fs.readdir(dir))) do list[i] = entry.name end
  return table.concat(list, " ")
end

describe("fs.write_file", function()
  it("makes a file, with the rights that the umask leaves", function()
    run(function(dir)
      assert.is_true(fs.write_file(dir .. "/a", "text"))
      assert.equal("text", fs.read_file(dir .. "/a"))
      local plain <close> = assert(fs.open(dir .. "/plain", "w"))
      assert.equal(plain:stat().mode, fs.stat(dir .. "/a").mode)
      assert.equal("a plain", names(dir))
    end)
  end)

  it("replaces a file, and keeps its rights", function()
    run(function(dir)
      fs.write_file(dir .. "/a", "old", {mode = tonumber("640", 8)})
      local before = fs.stat(dir .. "/a")
      assert.is_true(fs.write_file(dir .. "/a", {"new", "er"}, {sync = true}))
      local after = fs.stat(dir .. "/a")
      assert.equal("newer", fs.read_file(dir .. "/a"))
      assert.equal(tonumber("640", 8), after.mode)
      assert.is_true(before.ino ~= after.ino)
    end)
  end)

  it("leaves who has the old file open with the old one", function()
    run(function(dir)
      fs.write_file(dir .. "/a", "old")
      local file <close> = assert(fs.open(dir .. "/a"))
      fs.write_file(dir .. "/a", "new")
      assert.equal("old", file:read "a")
    end)
  end)

  it("replaces what a symbolic link stands for", function()
    run(function(dir)
      fs.write_file(dir .. "/a", "old")
      fs.symlink("a", dir .. "/link")
      fs.write_file(dir .. "/link", "new")
      assert.same({"new", "link"}, {fs.read_file(dir .. "/a"), fs.lstat(dir .. "/link").type})
    end)
  end)

  it("writes into the file that is there without atomic", function()
    run(function(dir)
      fs.write_file(dir .. "/a", "a longer text")
      local before = fs.stat(dir .. "/a").ino
      assert.is_true(fs.write_file(dir .. "/a", "new", {atomic = false}))
      assert.same({"new", before}, {fs.read_file(dir .. "/a"), fs.stat(dir .. "/a").ino})
      assert.is_true(fs.write_file("/dev/null", "x", {atomic = false}))
    end)
  end)

  it("leaves nothing behind where it cannot replace", function()
    run(function(dir)
      fs.mkdir(dir .. "/a")
      assert.equal("EISDIR", helper.refused("io", fs.write_file(dir .. "/a", "x")).code)
      assert.equal("ENOENT", helper.refused("io", fs.write_file(dir .. "/b/c", "x")).code)
      assert.equal("a", names(dir))
    end)
  end)

  it("has written all or nothing when it is cancelled at any point", function()
    run(function(dir)
      local path = dir .. "/a"
      local new = ("n"):rep(10000)
      for turns = 0, 40 do
        fs.write_file(path, "old")
        rille.scope(function(s)
          s:go(function() fs.write_file(path, new, {sync = true}) end)
          for _ = 1, turns do rille.sleep(0) end
          s:cancel()
        end)
        local text = fs.read_file(path)
        assert.is_true(text == "old" or text == new)
        assert.equal("a", names(dir))
      end
    end)
  end)

  it("is the same under a virtual clock", function()
    run({clock = "virtual"}, function(dir)
      assert.is_true(fs.write_file(dir .. "/a", "text"))
      assert.equal("text", fs.read_file(dir .. "/a"))
      rille.sleep(1000)
    end)
  end)

  it("raises for wrong arguments", function()
    run(function()
      helper.raises(function() fs.write_file("a", 1) end, "bad argument #2 to 'write_file'")
      helper.raises(function() fs.write_file("a", {1}) end, "bad argument #2 to 'write_file'")
      helper.raises(function() fs.write_file("a", "", {fsync = true}) end, "unknown option 'fsync'")
    end)
  end)
end)

describe("a full disk", function()
  local script = [[
    local rille = require "rille"
    local fs = rille.fs
    local dir <close> = assert(fs.temp_dir())
    local path = dir:path() .. "/a"
    fs.write_file(path, "old")
    local ok, err = fs.write_file(path, ("x"):rep(100000))
    print(ok, err.kind, err.code, fs.read_file(path), #fs.readdir(dir:path()))
    local file <close> = fs.open(dir:path() .. "/b", "w")
    local _, failed = file:write(("x"):rep(100000))
    print(failed.code, file:stat().size)
    print(file:close(), fs.write_file(path, "new"), fs.read_file(path))
  ]]

  it("is an error of the write; the old file is as it was", function()
    local output, status = sys.script(script, "ulimit -f 8")
    assert.equal("nil\tio\tEFBIG\told\t1\nEFBIG\t" .. 8 * 512 .. "\ntrue\ttrue\tnew\n", output)
    assert.equal(0, status)
  end)

  it("is one under stock Lua, too", function()
    local code = [[rille = require "rille" rille.run(function()
      local file <close> = rille.fs.temp_file()
      print(select(2, file:write(("x"):rep(100000))).code) end)]]
    assert.equal("EFBIG\n", sys.shell("ulimit -f 8; lua5.4 -e '" .. code:gsub("'", "") .. "'"))
  end)

  it("is an error of a device", function()
    run(function()
      local file <close> = assert(fs.open("/dev/full", "w"))
      assert.equal("ENOSPC", helper.refused("io", file:write "x").code)
    end)
  end)
end)
