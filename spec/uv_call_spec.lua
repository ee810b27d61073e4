-- uv_call_spec.lua - luv's functions as calls that suspend.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local uv = rille.uv()

local function run(fn)
  return helper.run({clock = "real"}, fn)
end

describe("uv_call", function()
  it("returns what the callback gets", function()
    run(function()
      assert.equal("directory", rille.uv_call(uv.fs_stat, ".").type)
    end)
  end)

  it("returns true when that is nothing", function()
    run(function()
      local fd = rille.uv_call(uv.fs_open, "/dev/null", "r", 0)
      assert.is_true(rille.uv_call(uv.fs_close, fd))
    end)
  end)

  it("returns nil and an error with its code and text", function()
    run(function()
      local err = helper.refused("io", rille.uv_call(uv.fs_open, "/no/such/file", "r", 0))
      assert.equal("ENOENT", err.code)
      assert.matches("no such file or directory: /no/such/file %(ENOENT%)$", err.message)
    end)
  end)

  it("has a text for a name that luv gives alone", function()
    run(function()
      local tcp, refusing <close> = uv.new_tcp(), net_helper.refusing()
      local err = helper.refused("io", rille.uv_call(tcp.connect, tcp, "127.0.0.1", refusing.port))
      tcp:close()
      assert.same({"ECONNREFUSED", "connection refused (ECONNREFUSED)"}, {err.code, err.message})
    end)
  end)

  it("returns what luv refuses at once", function()
    run(function()
      local function refuse() return nil, "EMFILE: too many open files", "EMFILE" end
      assert.equal("EMFILE", helper.refused("io", rille.uv_call(refuse)).code)
    end)
  end)

  it("raises for a wrong argument what luv raises", function()
    run(function()
      helper.raises(function() rille.uv_call(uv.fs_open, 1, {}) end, "file open mode")
      helper.raises(function() rille.uv_call(nil) end, "bad argument #1 to 'uv_call'")
    end)
  end)

  it("does not stop the other tasks", function()
    run(function()
      local log = helper.log()
      rille.scope(function(s)
        s:go(function() rille.uv_call(uv.fs_stat, ".") log "stat" end)
        s:go(function() log "other" end)
      end)
      assert.equal("other stat", helper.text(log))
    end)
  end)

  it("cancels the request with the task", function()
    run(function()
      local ended
      rille.scope(function(s)
        s:go(function() ended = select(2, pcall(rille.uv_call, uv.random, 1000, {})) end)
        rille.yield()
        s:cancel()
      end)
      assert.is_true(rille.is_error(ended, "cancelled"))
    end)
  end)
end)
