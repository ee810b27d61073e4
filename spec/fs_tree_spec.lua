-- fs_tree_spec.lua - whole trees, and temporary things.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local fs, run = rille.fs, sys.run

-- a/  a/x  a/b/  a/b/y  c  link -> a
local function plant(dir)
  fs.mkdir(dir .. "/a/b", {parents = true})
  for _, name in ipairs {"/a/x", "/a/b/y", "/c"} do fs.write_file(dir .. name, name) end
  fs.symlink("a", dir .. "/link")
end

local function walked(dir, opts)
  local list = {}
  for path, entry in fs.walk(dir, opts) do
    list[#list + 1] = path:sub(#dir + 2) .. ":" .. entry.type:sub(1, 1) .. entry.depth
  end
  return table.concat(list, " ")
end

describe("fs.walk", function()
  it("gives each directory before what is in it, by name, and follows no link", function()
    run(function(dir)
      plant(dir)
      assert.equal("a:d1 a/b:d2 a/b/y:f3 a/x:f2 c:f1 link:l1", walked(dir))
    end)
  end)

  it("goes no deeper than max_depth", function()
    run(function(dir)
      plant(dir)
      assert.equal("a:d1 c:f1 link:l1", walked(dir, {max_depth = 1}))
    end)
  end)

  it("stays out of a directory that is to be skipped", function()
    run(function(dir)
      plant(dir)
      local log = helper.log()
      for path, entry in fs.walk(dir) do
        log(path:sub(#dir + 2))
        entry.skip = entry.name == "a"
      end
      assert.equal("a c link", helper.text(log))
    end)
  end)

  it("raises where it cannot read, unless on_error is there", function()
    run(function(dir)
      local err = helper.raises_kind("io", function() walked(dir .. "/none") end)
      assert.equal("ENOENT", err.code)
      local log = helper.log()
      walked(dir .. "/none", {on_error = function(e, path) log(e.code, path:sub(#dir + 1)) end})
      assert.equal("ENOENT:/none", helper.text(log))
    end)
  end)
end)

describe("fs.remove", function()
  it("removes a file, a link, an empty directory", function()
    run(function(dir)
      plant(dir)
      fs.mkdir(dir .. "/empty")
      for _, name in ipairs {"/c", "/link", "/empty"} do
        assert.is_true(fs.remove(dir .. name))
      end
      assert.equal("a:d1 a/b:d2 a/b/y:f3 a/x:f2", walked(dir))
    end)
  end)

  it("refuses a directory that has something in it", function()
    run(function(dir)
      plant(dir)
      assert.equal("ENOTEMPTY", helper.refused("io", fs.remove(dir .. "/a")).code)
      assert.equal("ENOENT", helper.refused("io", fs.remove(dir .. "/none")).code)
    end)
  end)

  it("removes a tree with recursive, and nothing behind its links", function()
    run(function(dir)
      plant(dir)
      fs.symlink("../c", dir .. "/a/out")
      assert.is_true(fs.remove(dir .. "/a", {recursive = true}))
      assert.equal("c:f1 link:l1", walked(dir))
    end)
  end)
end)

describe("fs.temp_dir", function()
  it("is removed with all in it when it is closed", function()
    run(function(dir)
      local temp = assert(fs.temp_dir {dir = dir, prefix = "t-"})
      assert.equal(dir .. "/t-", temp:path():sub(1, #dir + 3))
      plant(temp:path())
      assert.is_true(temp:close())
      assert.is_true(temp:close())
      assert.same({}, fs.readdir(dir))
      assert.matches("%(removed%)$", tostring(temp))
    end)
  end)

  it("is removed in a task that is cancelled", function()
    run(function(dir)
      rille.scope(function(s)
        local temp <close> = assert(fs.temp_dir {dir = dir})
        plant(temp:path())
        s:cancel()
        rille.yield()
      end)
      assert.same({}, fs.readdir(dir))
    end)
  end)

  it("fails where there is no such place", function()
    run(function(dir)
      assert.equal("ENOENT", helper.refused("io", fs.temp_dir {dir = dir .. "/none"}).code)
    end)
  end)
end)

describe("fs.temp_file", function()
  it("can be written and read, and is removed when it is closed", function()
    run(function(dir)
      do
        local file <close> = assert(fs.temp_file {dir = dir})
        file:write "text"
        file:seek "set"
        assert.equal("text", file:read "a")
        assert.equal(1, #fs.readdir(dir))
      end
      assert.same({}, fs.readdir(dir))
    end)
  end)

  it("is removed when it is forgotten", function()
    run(function(dir)
      assert(fs.temp_file {dir = dir})
      collectgarbage()
      collectgarbage()
      assert.same({}, fs.readdir(dir))
    end)
  end)
end)
