-- luv_parts_spec.lua - the parts that need luv, where it is absent.
local sys = require "spec.sys_helper"

local without_luv = require "spec.helper".without_luv

describe("require of a part", function()
  it("returns what the module has under that name", function()
    local rille = require "rille"
    for _, name in ipairs {"fs", "process", "signal", "stdin", "tty"} do
      assert.equal(rille[name], require("rille." .. name))
    end
  end)
end)

describe("without luv", function()
  it("the core works, and each part that needs luv names the package", function()
    local output, status = sys.script(without_luv .. [[
      rille.sleep(0.001)
      for _, name in ipairs {"fs", "process", "signal", "stdin", "tty"} do
        local ok, err = pcall(require, "rille." .. name)
        print(ok, err:match "install the package lua%-luv")
        print(pcall(function() return rille[name] end) == false)
      end
    ]])
    assert.equal(("false\tinstall the package lua-luv\ntrue\n"):rep(5), output)
    assert.equal(0, status)
  end)
end)
