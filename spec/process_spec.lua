-- process_spec.lua - programs that run to their end.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local process, run = rille.process, sys.run

local function sh(text, opts)
  return process.run({"sh", "-c", text}, opts)
end

describe("process.run", function()
  it("returns the status and what was written", function()
    run(function()
      assert.same({status = 3, stdout = "out\n", stderr = "err\n"},
        sh "echo out; echo err >&2; exit 3")
    end)
  end)

  it("passes each argument on as it is", function()
    run(function()
      local result = process.run {"printf", "%s|", "a b", "$HOME", "*", ""}
      assert.equal("a b|$HOME|*||", result.stdout)
    end)
  end)

  it("tells what signal has ended it", function()
    run(function()
      assert.same({signal = "sigkill", stdout = "", stderr = ""}, sh "kill -9 $$")
      assert.equal("sighup", sh("kill -HUP $$").signal)
    end)
  end)

  it("gives it text to read, of any size", function()
    run(function()
      local text = ("0123456789\n"):rep(100000)
      assert.is_true(text == process.run({"cat"}, {stdin = text}).stdout)
      assert.equal("ab", process.run({"cat"}, {stdin = {"a", "b"}}).stdout)
    end)
  end)

  it("gives it nothing to read unless told", function()
    run(function() assert.equal("", process.run({"cat"}).stdout) end)
  end)

  it("minds no program that does not read", function()
    run(function()
      assert.equal(0, process.run({"true"}, {stdin = ("x"):rep(1000000)}).status)
    end)
  end)

  it("merges, inherits or drops what is written", function()
    run(function()
      assert.same({status = 0, stdout = "a\nb\n"}, sh("echo a; echo b >&2", {stderr = "merge"}))
      assert.same({status = 0, stderr = ""}, sh("echo a", {stdout = "null", stderr = "capture"}))
      assert.same({status = 0, stdout = "", stderr = nil}, sh("echo b >&2", {stderr = "null"}))
      assert.same({status = 0}, sh("echo b >&2", {stdout = "null", stderr = "merge"}))
    end)
    assert.equal("a\nb\n", (sys.script [[
      local rille = require "rille"
      rille.process.run({"sh", "-c", "echo a; echo b >&2"},
        {stdout = "inherit", stderr = "inherit"})
    ]]))
  end)

  describe("check", function()
    it("makes a status other than 0 a failure", function()
      run(function()
        local err = helper.refused("exit", sh("echo wrong >&2; exit 2", {check = true}))
        assert.same({2, "wrong\n", "sh ended with status 2: wrong"},
          {err.status, err.stderr, err.message})
        err = helper.refused("exit", sh("kill $$", {check = true}))
        assert.same({"sigterm", "sh ended by sigterm"}, {err.signal, err.message})
        assert.equal(0, sh("true", {check = true}).status)
      end)
    end)
  end)

  describe("max_output", function()
    it("ends a program that writes more", function()
      run(function()
        local err = helper.refused("too_large", process.run({"yes"}, {max_output = 100000}))
        assert.equal("yes has written more than 100000 bytes", err.message)
      end)
    end)

    it("counts both outputs, and is met exactly", function()
      run(function()
        assert.equal(0, sh("printf abc; printf de >&2", {max_output = 5}).status)
        helper.refused("too_large", sh("printf abc; printf de >&2", {max_output = 4}))
      end)
    end)
  end)

  describe("environment", function()
    it("is ours, with what is told", function()
      run(function()
        local env = {RILLE_A = "a b", HOME = false}
        assert.equal("a b none\n", sh("echo $RILLE_A ${HOME-none}", {env = env}).stdout)
        assert.equal(0, sh('test -n "$PATH"', {env = env}).status)
      end)
    end)

    it("is only what is told with clear_env", function()
      run(function()
        local result = process.run({"/usr/bin/env"}, {clear_env = true, env = {B = "1", A = "2"}})
        assert.equal("A=2\nB=1\n", result.stdout)
      end)
    end)
  end)

  it("runs in cwd", function()
    run(function(dir)
      assert.equal(rille.fs.realpath(dir) .. "\n", process.run({"pwd"}, {cwd = dir}).stdout)
    end)
  end)

  it("asks a shell only if told", function()
    run(function()
      assert.equal("A\n", process.run("echo a | tr a-z A-Z", {shell = true}).stdout)
      helper.raises(function() process.run "ls" end, "needs shell = true")
    end)
  end)

  it("returns nil and an error for what cannot be started", function()
    run(function(dir)
      local env = {PATH = "/usr/bin:/bin"} -- all of it readable
      local err = helper.refused("io", process.run({"no-such-program"}, {env = env}))
      assert.same({"ENOENT", "no-such-program: no such file or directory (ENOENT)"},
        {err.code, err.message})
      assert.equal("EACCES", helper.refused("io", process.run {dir}).code)
      err = helper.refused("io", process.run({"ls"}, {cwd = dir .. "/none"}))
      assert.matches("/none: no such", err.message)
    end)
  end)

  it("raises for wrong arguments", function()
    run(function()
      local function bad(pattern, ...)
        local args = table.pack(...)
        helper.raises(function() process.run(table.unpack(args, 1, args.n)) end, pattern)
      end
      bad("no program", {})
      bad("argument 1 must be a string, got number", {"ls", 1})
      bad("zero byte", {"ls", "a\0b"})
      bad("did you mean 'stderr'", {"ls"}, {stder = "null"})
      bad("option 'env'", {"ls"}, {env = {["A=B"] = "c"}})
      bad("'A' in option 'env' must be a string", {"ls"}, {env = {A = 1}})
      bad("option 'stderr'", {"ls"}, {stderr = "file"})
    end)
    helper.raises(function() process.run {"ls"} end, "inside a task")
    helper.raises(function() process.spawn {"ls"} end, "inside a task")
  end)

  it("does not stop the other tasks", function()
    run(function(dir)
      local log = helper.log()
      rille.scope(function(s)
        s:go(function()
          sh("while ! test -e " .. dir .. "/go; do sleep 0.01; done")
          log "program"
        end)
        s:go(function()
          log "other"
          rille.fs.write_file(dir .. "/go", "")
        end)
      end)
      assert.equal("other program", helper.text(log))
    end)
  end)

  it("works under a virtual clock, which stands still meanwhile", function()
    run({clock = "virtual"}, function()
      assert.equal(0, process.run({"sleep", "0.05"}).status)
      assert.equal(0, rille.now())
    end)
  end)

  it("leaves nothing of hundreds", function()
    run(function()
      rille.scope({concurrency = 20}, function(s)
        for i = 1, 300 do
          s:go(function() assert.equal(i % 7, sh("exit " .. i % 7).status) end)
        end
      end)
    end)
  end)

  it("is unharmed by SIGPIPE in stock Lua", function()
    assert.equal("0\n", sys.shell([[
      lua5.4 -e 'rille = require "rille" rille.run(function()
        print(rille.process.run({"true"}, {stdin = ("x"):rep(1000000)}).status) end)']]))
  end)
end)
