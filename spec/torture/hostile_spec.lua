-- Hostile Lua: what a script can do to the language under the engine's feet.
-- Afterwards the engine must run the next program as if nothing had been. What
-- other specs cover is listed in docs/reliability.md.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises, closing = helper.run, helper.raises, helper.closing

-- The engine works, and nothing of what was before is left.
local function works()
  run(function()
    local ch = rille.channel()
    rille.scope(function(s)
      s:go(ch.send, ch, 1)
      assert.equal(1, ch:recv())
      s:go(rille.sleep, 1)
    end)
  end)
  assert.equal(0, #rille.testing.leaks())
end

-- Runs a script in a child of the binary; returns its output and its status.
local function child(script, limits)
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  file:write(script)
  file:close()
  local command = ("(%s exec timeout 500 %s %s) 2>&1 </dev/null"):format(limits or "",
    os.getenv "RILLE_BINARY", path)
  local pipe = assert(io.popen("exec 9>&-; " .. command))
  local text = pipe:read "a"
  local _, _, status = pipe:close()
  os.remove(path)
  return text, status
end

describe("a hostile script", function()
  after_each(works)

  describe("raises", function()
    local raising = setmetatable({}, { __tostring = function() error("no text") end })
    local yielding = setmetatable({}, { __tostring = function() rille.yield() return "x" end })
    local recursive = setmetatable({}, {})
    getmetatable(recursive).__tostring = function(v) return tostring(v) end
    local nameless = setmetatable({}, { __name = 7, __metatable = false,
      __eq = function() error("eq") end, __index = function() error("index") end })
    for name, value in pairs {
      ["false"] = false, NaN = 0 / 0, raising = raising, yielding = yielding,
      recursive = recursive, ["with a hostile metatable"] = nameless,
      ["a coroutine"] = coroutine.create(print), ["1 MB of text"] = ("x"):rep(1 << 20),
    } do
      it("an error that is " .. name, function()
        local ok, err = pcall(run, function()
          rille.scope(function(s) s:go(function() error(value, 0) end) end)
        end)
        assert.is_false(ok)
        assert.is_true(rawequal(value, err) or value ~= value)
      end)

      it("in another's await an error that is " .. name, function()
        run(function()
          local task = rille.root():task(function() rille.yield() error(value, 0) end)
          local result, err = task:await()
          assert.is_nil(result)
          assert.is_true(rawequal(value, err) or value ~= value)
        end)
      end)
    end

    it("nil", function()
      local ok, err = pcall(run, function() error(nil) end)
      assert.is_false(ok)
      assert.is_nil(err)
    end)

    it("in the message handler", function()
      run(function()
        local ok = xpcall(error, function() error("again") end, "first")
        assert.is_false(ok)
        rille.yield()
      end)
    end)

    it("in __close after an error, which is replaced", function()
      local err = raises(function()
        run(function()
          local _ <close> = closing(function() rille.yield() error("second", 0) end)
          error("first", 0)
        end)
      end)
      assert.equal("second", err)
    end)

    it("in __gc while tasks run", function()
      run(function()
        for _ = 1, 50 do setmetatable({}, { __gc = function() error("gc") end }) end
        collectgarbage()
        rille.yield()
      end)
    end)
  end)

  describe("takes away", function()
    for _, name in ipairs { "coroutine", "pcall", "xpcall", "error", "setmetatable", "tostring",
      "ipairs", "pairs", "select", "type" } do
      it(name, function()
        local kept = _G[name]
        local ok, err = pcall(run, function()
          _G[name] = nil
          rille.scope(function(s)
            local ch = s:channel()
            s:go(function() ch:send(1) end)
            rille.timeout(1, ch.recv, ch)
          end)
        end)
        _G[name] = kept
        assert.is_true(ok or err ~= nil)
      end)
    end

    for _, name in ipairs { "table.unpack", "string.format", "coroutine.running",
      "coroutine.isyieldable", "math.type", "debug.traceback" } do
      it("poisons " .. name, function()
        local library, field = name:match "(%w+)%.(%w+)"
        local kept = _G[library][field]
        _G[library][field] = function() kept() error("poison") end
        pcall(run, function()
          rille.scope(function(s) s:go(rille.sleep, 1) s:defer(print) s:cancel() end)
        end)
        _G[library][field] = kept
      end)
    end

    it("_ENV", function()
      local code = "local rille, _ENV = ... rille.sleep(1) return missing"
      raises(function() run(assert(load(code)), rille) end, "_ENV")
    end)
  end)

  describe("gives a metatable to", function()
    for name, value in pairs { ["functions"] = print, ["nil"] = false, ["threads"] = true } do
      it(name, function()
        if value == false then value = nil end
        if value == true then value = coroutine.create(print) end
        debug.setmetatable(value, { __index = function() return error end,
          __call = function() error("called") end, __close = error, __gc = error })
        local ok, err = pcall(run, function()
          rille.scope(function(s) s:go(rille.sleep, 1) rille.yield() end)
        end)
        debug.setmetatable(value, nil)
        if not ok then error(err, 0) end
      end)
    end
  end)

  it("sends a channel through itself", function()
    run(function()
      local ch = rille.channel(1)
      ch:send(ch)
      assert.equal(ch, ch:recv())
    end)
  end)

  it("sends 10^4 messages of 1 KB, one of 64 MB, and a table 10^5 deep", function()
    run(function()
      local ch = rille.channel(math.huge)
      for i = 1, 10000 do ch:send(("x"):rep(1000) .. i % 10) end
      ch:send(("x"):rep(1 << 26))
      local deep = {}
      for _ = 1, 100000 do deep = { deep } end
      ch:send(deep)
      local count = 0
      while ch:size() > 0 do ch:recv() count = count + 1 end
      assert.equal(10002, count)
    end)
  end)

  it("awaits in a circle", function()
    local ok, err = pcall(run, function()
      local a, b
      a = rille.root():task(function() return b:await() end)
      b = rille.root():task(function() return a:await() end)
    end)
    assert.is_false(ok)
    assert.is_true(rille.is_error(err, "deadlock"))
  end)

  it("sets a hook that raises in every task", function()
    run(function()
      local task = rille.root():task(function()
        debug.sethook(function() debug.sethook() error("hooked", 0) end, "", 1)
        rille.sleep(1)
      end)
      local _, err = task:await()
      assert.equal("hooked", err)
    end)
  end)

  it("sets a hook that waits", function()
    run(function()
      local task = rille.root():task(function()
        debug.sethook(function() debug.sethook() rille.sleep(1) end, "", 1)
        rille.yield()
      end)
      local _, err = task:await()
      assert.truthy(tostring(err):find "cannot wait here")
    end)
  end)

  it("collects garbage in every callback", function()
    run(function()
      local function collect() collectgarbage() end
      local b = rille.broadcast { buffer = 1, overflow = "drop_oldest", on_drop = collect }
      local sub = b:subscribe()
      for i = 1, 5 do b:send(i) end
      sub:close()
      rille.await(function(resolve) collectgarbage() resolve() return collect end)
      rille.scope(function(s) s:defer(collect) end)
    end)
  end)

  it("does without a collector", function()
    collectgarbage "stop"
    run(function() rille.scope(function(s) for _ = 1, 100 do s:go(rille.sleep, 1) end end) end)
    collectgarbage "restart"
  end)

  it("lets subscribers leave during a delivery, 10^4 of them", function()
    run(function()
      local subs, dropped = {}, 0
      local b = rille.broadcast { buffer = 1, overflow = "drop_oldest", on_drop = function()
        dropped = dropped + 1
        if subs[dropped] then subs[dropped]:close() end
      end }
      for i = 1, 10000 do subs[i] = b:subscribe() end
      b:send(1)
      b:send(2)
      assert.is_true(dropped > 0)
      b:close()
    end)
  end)

  it("makes services that need each other", function()
    raises(function()
      run(function()
        rille.scope(function(s)
          s:provide("a", function(scope) return scope:use "b" end)
          s:provide("b", function(scope) return scope:use "a" end)
        end)
      end)
    end, "b")
  end)

  it("nests scopes 150 deep in one task, as deep as Lua calls and cancels the outermost", function()
    run(function()
      local deepest
      local function nest(depth)
        if depth == 0 then deepest = true return rille.sleep(9) end
        local _ <close> = rille.scope()
        nest(depth - 1)
      end
      rille.scope(function(s)
        s:go(function() rille.sleep(1) s:cancel() end)
        nest(150)
      end)
      assert.is_true(deepest)
    end)
  end)

  it("yields in sort and gsub, and the channel is as before", function()
    run(function()
      local ch = rille.channel()
      pcall(table.sort, { 2, 1 }, function() ch:send(1) end)
      pcall(string.gsub, "a", "a", function() ch:recv() end)
      helper.refused("empty", ch:try_recv())
      helper.refused("full", ch:try_send(1))
    end)
  end)

  it("finds the engine in the registry and calls its finalizer", function()
    local script = [[
      for _, v in pairs(debug.getregistry()) do
        local meta = type(v) == "userdata" and debug.getmetatable(v)
        if meta and meta.__metatable == "rille.engine" then meta.__gc(v) meta.__gc(v) end
      end
      print(pcall(rille.sleep, 0))]]
    local text, status = child("local rille = require 'rille'\n" .. script)
    assert.is_true(status < 128, text)
    assert.is_nil(text:find "Sanitizer", text)
  end)

  it("is bytecode: dumped, cut and changed", function()
    local code = string.dump(function() return rille.sleep(1) end)
    for _, bytes in ipairs { code, code:sub(1, 20), code:sub(1, -9) .. "\0\1\2\3\255\254abc" } do
      local text, status = child(bytes)
      assert.is_true(status > 0 and status < 128, text)
      assert.truthy(text:find "binary" or text:find "attempt to load", text)
    end
  end)

  it("is a source of 10 MB, of 300 parentheses, of a long concatenation", function()
    for _, source in ipairs { ("--" .. ("x"):rep(998) .. "\n"):rep(10000) .. "print 'ok'",
      "print" .. ("("):rep(300) .. "1" .. (")"):rep(300),
      "print(#(''" .. (" .. 'x'"):rep(10000) .. "))" } do
      local text, status = child(source)
      assert.is_true(status < 128, text)
      assert.is_nil(text:find "Sanitizer", text)
    end
  end)
end)
