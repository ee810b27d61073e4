-- libuv cuts the path of a Unix socket at 107 bytes, or at a zero byte, and says
-- nothing: listeners were found under another name, and "" was an abstract
-- address that everybody shares.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local net, http = rille.net, rille.http

local function fit(dir, size)
  return dir .. "/" .. ("x"):rep(size - #dir - 1)
end

describe("the path of a Unix socket", function()
  it("of 107 bytes is taken as it is", function()
    sys.run(function(dir)
      local path = fit(dir, 107)
      local _ <close> = assert(net.listen("unix", path, function(conn) conn:write "hello" end))
      assert.is_true(rille.fs.exists(path))
      local conn <close> = assert(net.connect("unix", path))
      assert.equal("hello", conn:read())
    end)
  end)

  it("that is longer is an error", function()
    sys.run(function(dir)
      local path = fit(dir, 108)
      for _, call in ipairs{net.listen, net.connect, http.serve} do
        local err = helper.refused("io", call("unix", path, call ~= net.connect and print or nil))
        assert.equal("ENAMETOOLONG", err.code)
        assert.truthy(err.message:find(path, 1, true))
      end
      assert.same({}, rille.fs.readdir(dir))
    end)
  end)

  it("cannot be empty or have a zero byte", function()
    sys.run(function(dir)
      for _, path in ipairs{"", dir .. "/a\0b", "\0abstract"} do
        for name, call in pairs{listen = net.listen, connect = net.connect, serve = http.serve} do
          local message = helper.raises(function()
            call("unix", path, name ~= "connect" and print or nil)
          end)
          assert.matches("bad argument #2 to '" .. name .. "'", message)
        end
      end
    end)
  end)
end)
