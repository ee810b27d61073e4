local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

-- What may suspend; each is given a channel that is full and a task that waits.
local waits = {
  sleep = function() rille.sleep(1) end,
  yield = function() rille.yield() end,
  send = function(ch) ch:send(2) end,
  recv = function() rille.channel():recv() end,
  select = function() rille.select { { rille.channel() } } end,
  await = function(_, task) task:await() end,
  callback = function() rille.await(function() end) end,
  scope = function() rille.scope(function(s) s:go(rille.sleep, 1) end) end,
  timeout = function() rille.timeout(1, rille.sleep, 2) end,
  acquire = function() rille.semaphore(1):acquire() end,
  call = function() rille.mutex():call(print) end,
  write = function() rille.rwlock():write(print) end,
  event = function() rille.event():wait() end,
}

-- Where Lua cannot yield; each calls `fn` there.
local places = {
  ["table.sort"] = function(fn)
    table.sort({ 3, 2, 1 }, function(a, b) fn() return a < b end)
  end,
  ["string.gsub"] = function(fn)
    return (("x"):gsub("x", function() fn() end))
  end,
  ["tostring"] = function(fn)
    return tostring(setmetatable({}, { __tostring = function() fn() return "x" end }))
  end,
  ["load"] = function(fn)
    return assert(load(function() fn() end))
  end,
  ["require"] = function(fn)
    package.preload["rille.spec.blocking"] = function() fn() return true end
    package.loaded["rille.spec.blocking"] = nil
    require "rille.spec.blocking"
  end,
}

describe("waiting where Lua cannot yield", function()
  for place, enter in pairs(places) do
    it("raises in " .. place .. " with the reason", function()
      run(function()
        raises(function() enter(function() rille.sleep(1) end) end, "cannot wait here")
      end)
    end)

    for name, wait in pairs(waits) do
      it("raises in " .. place .. " and changes nothing: " .. name, function()
        run(function()
          local ch = rille.channel(1)
          ch:send(1)
          local task = rille.root():task(function() rille.sleep(5) return "slept" end)
          rille.yield()
          raises(function() enter(function() wait(ch, task) end) end)
          assert.equal(1, ch:size())
          assert.equal(1, (ch:recv()))
          assert.equal("slept", (task:await()))
        end)
      end)
    end
  end

  it("works for what need not wait: try_send in table.sort", function()
    run(function()
      local ch = rille.channel(1)
      places["table.sort"](function() ch:try_send("x") end)
      assert.equal("x", (ch:recv()))
    end)
  end)

  it("works for go in string.gsub", function()
    local log = helper.log()
    run(function()
      places["string.gsub"](function() rille.root():go(log, "ran") end)
    end)
    assert.equal("ran", helper.text(log))
  end)

  it("raises in __gc and changes nothing", function()
    run(function()
      local ok, err
      do
        local _ = setmetatable({}, { __gc = function() ok, err = pcall(rille.sleep, 1) end })
      end
      collectgarbage()
      collectgarbage()
      assert.is_false(ok)
      assert.equal("string", type(err))
      assert.equal(0, rille.now())
    end)
  end)

  it("raises in the message handler of xpcall", function()
    run(function()
      local ok, err
      xpcall(error, function() ok, err = pcall(rille.sleep, 1) end, "x")
      assert.is_false(ok)
      assert.equal("string", type(err))
    end)
  end)

  it("raises in a hook", function()
    run(function()
      local ok
      debug.sethook(function()
        debug.sethook()
        ok = pcall(rille.sleep, 1)
      end, "", 1)
      local _ = 1 + 1
      debug.sethook()
      assert.is_false(ok)
    end)
  end)
end)

describe("waiting where Lua can yield", function()
  for name, wait in pairs {
    ["pcall"] = function() assert(pcall(rille.sleep, 1)) end,
    ["xpcall"] = function() assert(xpcall(rille.sleep, print, 1)) end,
    ["__index"] = function()
      return setmetatable({}, { __index = function() rille.sleep(1) end }).x
    end,
    ["__add"] = function()
      return setmetatable({}, { __add = function() rille.sleep(1) end }) + 1
    end,
    ["__eq"] = function()
      local mt = { __eq = function() rille.sleep(1) end }
      return setmetatable({}, mt) == setmetatable({}, mt)
    end,
    ["__call"] = function()
      setmetatable({}, { __call = function() rille.sleep(1) end })()
    end,
    ["__concat"] = function()
      return setmetatable({}, { __concat = function() rille.sleep(1) end }) .. "x"
    end,
    ["__close"] = function()
      local _ <close> = helper.closing(function() rille.sleep(1) end)
    end,
    ["an iterator"] = function()
      local count = 0
      for _ in function() rille.sleep(0.5) return count == 0 and 1 or nil end do
        count = count + 1
      end
    end,
    ["__pairs"] = function()
      for _ in pairs(setmetatable({}, { __pairs = function() rille.sleep(1) return next, {} end }))
      do error("empty") end
    end,
  } do
    it("works in " .. name, function()
      run(function()
        wait()
        assert.equal(1, rille.now())
      end)
    end)
  end
end)

describe("a wait outside rille.run", function()
  for name, wait in pairs {
    sleep = function() rille.sleep(1) end,
    sleep_until = function() rille.sleep_until(1) end,
    yield = function() rille.yield() end,
    scope = function() rille.scope(function() end) end,
    ["scope for <close>"] = function() rille.scope() end,
    timeout = function() rille.timeout(1, print) end,
    shield = function() rille.shield(print) end,
    await = function() rille.await(print) end,
    select = function() rille.select { { rille.channel() } } end,
    recv = function() rille.channel():recv() end,
    send = function() rille.channel():send(1) end,
    ["the wait of a timer"] = function() rille.after(1):wait() end,
    iteration = function() for _ in rille.channel() do error("got one") end end,
  } do
    it("raises: " .. name, function()
      raises(wait, "inside a task")
    end)

    it("raises in a coroutine: " .. name, function()
      raises(coroutine.wrap(wait), "inside a task")
    end)
  end

  it("raises in a generator of rille.coroutine", function()
    raises(rille.coroutine.wrap(function() rille.sleep(1) end), "inside a task")
  end)

  it("has no running task", function()
    assert.is_nil(rille.current())
  end)
end)
