-- library_spec.lua - rille.http where one of its libraries is absent: what needs
-- it says which package is missing, and the other half works.
local rille = require "rille"
local sys = require "spec.sys_helper"

local without_luv = require "spec.helper".without_luv

-- Runs a script for which the file `library` is no library. Returns its output.
local function without(library, script)
  return sys.run(function(dir)
    assert(rille.fs.write_file(dir .. "/" .. library, "no library"))
    local output, status = sys.script([[
      local rille = require "rille"
      local function reason(fn, ...)
        local ok, err = pcall(fn, ...)
        print(ok, tostring(err):match "install the package [%w.-]+" or err)
      end
      local function hello() return "hello" end
      local function serve() return rille.http.serve("127.0.0.1", 0, hello) end
      local function get() return rille.http.get("http://127.0.0.1:1/") end
    ]] .. script, "export LD_LIBRARY_PATH=" .. dir)
    assert.equal(0, status, output)
    return output
  end)
end

describe("without libcurl", function()
  it("requests name its package, and servers serve", function()
    assert.equal("false\tinstall the package libcurl4\nhello\n", without("libcurl.so.4", [[
      reason(get)
      local server <close> = serve()
      local conn <close> = rille.net.connect("127.0.0.1", server:port())
      conn:write "GET / HTTP/1.0\r\n\r\n"
      print(conn:read_all():match "[^\n]*$")
    ]]))
  end)
end)

describe("without http-parser", function()
  it("serve names its package, and requests go out", function()
    assert.equal("false\tinstall the package libhttp-parser2.9\nconnect\n",
      without("libhttp_parser.so.2.9", [[
        reason(serve)
        print(select(2, get()).kind)
      ]]))
  end)
end)

describe("without luv", function()
  it("serve names its package, and requests go out", function()
    local output, status = sys.script(without_luv .. [[
      print(select(2, rille.http.get("http://127.0.0.1:1/")).kind)
      local ok, err = pcall(function() return rille.http.serve("127.0.0.1", 0, print) end)
      print(ok, err:match "install the package lua%-luv")
    ]])
    assert.same({"connect\nfalse\tinstall the package lua-luv\n", 0}, {output, status})
  end)
end)
