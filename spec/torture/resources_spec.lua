-- Short of descriptors, under storms of signals and processes, and ended in
-- every state. Each case is a child of the binary; FULL=1 for the full sizes.
local full = os.getenv "FULL" ~= nil
local binary = os.getenv "RILLE_BINARY"

local function child(script, before)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write("local rille = require 'rille'\n", script)
  file:close()
  local pipe = assert(io.popen(("(%s exec timeout 1000 %s %s) 2>&1 </dev/null"):format(
    before or "", binary, path)))
  local text = pipe:read "a"
  local _, how, status = pipe:close()
  os.remove(path)
  return text, how == "signal" and 128 + status or status
end

local function says(expected, script, before)
  local text, status = child(script, before)
  assert.equal(expected, text)
  assert.equal(0, status)
end

-- It ends, with `wanted` or any other status, but not by a signal.
local function ends(script, wanted)
  local text, status = child(script)
  assert.is_nil(text:find "Sanitizer", text)
  assert.equal(wanted or 0, status, text)
end

describe("with 64 descriptors", function()
  it("the error goes to who asked, and all works once some are closed", function()
    says("EMFILE\ttrue\n", [[
      local files, uv = {}, rille.uv()
      repeat
        local file = io.open("/dev/null")
        files[#files + 1] = file
      until not file
      local bad = select(3, uv.fs_open("/dev/null", "r", 0))
      for _, file in ipairs(files) do file:close() end
      rille.scope(function(s) for i = 1, 100 do s:go(rille.sleep, 0.001) end end)
      print(bad, io.open("/dev/null") ~= nil)]], "ulimit -n 64;")
  end)

  it("connections beyond them fail one by one, and the loop does not spin", function()
    says("some connected, some refused, idle\n", [[
      local uv = rille.uv()
      local server = uv.new_tcp()
      server:bind("127.0.0.1", 0)
      local accepted = {}
      server:listen(128, function()
        local socket = uv.new_tcp()
        if server:accept(socket) then accepted[#accepted + 1] = socket else socket:close() end
      end)
      local port, ok, bad, sockets = server:getsockname().port, 0, 0, {}
      for i = 1, ]] .. (full and 10000 or 200) .. [[ do
        local socket = uv.new_tcp()
        local err = rille.timeout(5, rille.await, function(resolve)
          local began, why = socket:connect("127.0.0.1", port, function(e) resolve(e or "ok") end)
          if not began then resolve(why or "failed") end
        end)
        if err == "ok" then ok = ok + 1 sockets[ok] = socket else
          bad = bad + 1
          if not socket:is_closing() then socket:close() end
          if bad > 40 then break end
        end
      end
      local prepare, turns = uv.new_prepare(), 0
      prepare:start(function() turns = turns + 1 end)
      rille.sleep(0.2)
      prepare:close()
      local idle = turns < 200 -- one that spins turns ten thousands of times
      for _, socket in ipairs(sockets) do socket:close() end
      for _, socket in ipairs(accepted) do socket:close() end
      server:close()
      print((ok > 0 and "some connected, " or "") .. (bad > 0 and "some refused, " or "")
        .. (idle and "idle" or "busy"))]], "ulimit -n 64;")
  end)

  it("an engine that cannot have a loop says so", function()
    -- With fewer than 6, libuv 1.44 aborts. What whoever runs the tests has left
    -- open is no part of it.
    local text, status = child("print 'never'",
      "exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n 7;")
    assert.truthy(text:find "too many open files", text)
    assert.equal(1, status)
  end)
end)

describe("a storm", function()
  it("of signals reaches the handler, and tasks go on", function()
    says("done\n", [[
      local uv = rille.uv()
      local seen, signal = 0, uv.new_signal()
      signal:start("sigusr1", function() seen = seen + 1 end)
      for _ = 1, ]] .. (full and 10000 or 300) .. [[ do
        uv.kill(uv.os_getpid(), "sigusr1")
        if _ % 50 == 0 then rille.sleep(0) end
      end
      while seen == 0 do rille.sleep(0.001) end
      signal:close()
      print "done"]])
  end)

  it("of processes leaves no zombie and no descriptor", function()
    says("statuses exact, descriptors as before\n", [[
      local uv = rille.uv()
      local function count()
        local n = 0
        collectgarbage()
        for _ in uv.fs_scandir_next, uv.fs_scandir "/proc/self/fd" do n = n + 1 end
        return n
      end
      uv.spawn("/bin/true", {}, function() end) -- opens libuv's own descriptors
      local before, wrong = count(), 0
      rille.scope({ concurrency = 20 }, function(s)
        for i = 1, ]] .. (full and 2000 or 40) .. [[ do
          s:go(function()
            local process
            local code = rille.await(function(resolve)
              process = uv.spawn("/bin/sh", { args = { "-c", "exit " .. i % 100 } }, resolve)
            end)
            process:close()
            if code ~= i % 100 then wrong = wrong + 1 end
          end)
        end
      end)
      rille.yield() -- libuv closes handles in its next turn
      print((wrong == 0 and "statuses exact, " or "") ..
        (count() <= before and "descriptors as before" or "descriptors left"))]])
  end)
end)

describe("an end", function()
  local timers = "rille.root():go({daemon = true}, function() rille.scope(function(s) "
    .. "for i = 1, " .. (full and 100000 or 3000)
    .. " do s:go(rille.sleep, 1000 + i) end end) end) rille.sleep(0.01) "

  it("with many timers armed: the script returns", function() ends(timers) end)
  it("with many timers armed: os.exit closes", function()
    ends(timers .. "os.exit(3, true)", 3)
  end)
  it("with many timers armed: os.exit does not close", function()
    ends(timers .. "os.exit(4)", 4)
  end)
  it("with many timers armed: an error", function() ends(timers .. "error('bad')", 1) end)

  for place, script in pairs {
    ["in a task"] = "rille.root():go(os.exit, 3, true) rille.sleep(9)",
    ["in a <close>"] = "local _ <close> = setmetatable({}, {__close = function() "
      .. "os.exit(3, true) end}) rille.yield()",
    ["in a deferred function"] = "rille.scope(function(s) s:defer(os.exit, 3, true) end)",
    ["in a finalizer"] = "setmetatable({}, {__gc = function() os.exit(3, true) end}) "
      .. "collectgarbage() rille.sleep(9)",
    ["in a callback"] = "local t = rille.uv().new_timer() t:start(1, 0, function() "
      .. "os.exit(3, true) end) rille.sleep(9)",
    ["in a generator"] = "for _ in rille.coroutine.wrap(function() rille.yield() "
      .. "os.exit(3, true) end) do end",
    ["while a scope is being left"] = "rille.scope(function(s) s:go(function() "
      .. "rille.sleep(0.01) os.exit(3, true) end) end)",
    ["while cancelled"] = "rille.root():go(function() pcall(rille.sleep, 9) os.exit(3, true) end) "
      .. "rille.yield() rille.root():cancel()",
    ["inside the start of an await"] = "rille.await(function() os.exit(3, true) end)",
  } do
    it("by os.exit " .. place, function() ends(script, 3) end)
  end

  it("of a state whose finalizers use the engine", function()
    ends("KEPT = setmetatable({}, {__gc = function() pcall(rille.channel, 1) "
      .. "pcall(rille.run, print) pcall(function() rille.root():go(print) end) end})")
  end)
end)
