-- An error of fs.write_file named the new file, of which its caller knows
-- nothing.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local fs = rille.fs

describe("an error of fs.write_file", function()
  local function refused(path, data)
    local err = helper.refused("io", fs.write_file(path, data or "x"))
    assert.is_nil(err.message:find(".rille-", 1, true), err.message)
    assert.truthy(err.message:find(path, 1, true), err.message)
    return err
  end

  it("names the path when its directory is missing", function()
    sys.run(function(dir)
      local path = dir .. "/no/file"
      local err = refused(path)
      assert.equal("ENOENT", err.code)
      assert.equal("no such file or directory: " .. path .. " (ENOENT)", err.message)
    end)
  end)

  it("names it when it is a directory", function()
    sys.run(function(dir)
      assert(fs.mkdir(dir .. "/d"))
      assert.equal("EISDIR", refused(dir .. "/d").code)
      assert.equal(1, #fs.readdir(dir))
    end)
  end)

  it("names it when the file gets too large", function()
    local output = sys.script([[
      local rille = require "rille"
      local dir <close> = assert(rille.fs.temp_dir())
      local ok, err = rille.fs.write_file(dir:path() .. "/big", ("x"):rep(1 << 20))
      print(ok, err.code, err.message:find("rille-[%x-]+ ") == nil, err.message:find "/big" ~= nil)
    ]], "ulimit -f 8")
    assert.equal("nil\tEFBIG\ttrue\ttrue\n", output)
  end)
end)
