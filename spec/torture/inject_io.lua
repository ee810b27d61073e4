-- What inject_spec.lua interrupts at every point, continued: sockets, files,
-- processes, signals. These run on the real clock. `t` is inject.lua's tracker.
-- After each run no handle, descriptor, child or file may be left.
local rille = require "rille"
local inject = require "spec.torture.inject"
local sys = require "spec.sys_helper"

local net, fs, process = require "rille.net", rille.fs, rille.process
local uv = rille.uv()

local scenarios = {}

-- A scenario that is looked at for what it leaves to the system. luv's own
-- objects close what they have when they are collected.
local function io_scenario(name, fn)
  local function scenario(t)
    t.after(function(raised)
      if raised then collectgarbage() end
      return sys.compare(t.before)
    end)
    fn(t)
  end
  scenarios[name] = scenario
  inject.real[scenario] = sys.resources
end

-- The same with a directory, which is removed; nothing may be left in its
-- parent.
local function dir_scenario(name, fn)
  io_scenario(name, function(t)
    local dir
    t.after(function() return dir and uv.fs_stat(dir) and "a directory is left" or nil end)
    local temp <close> = assert(fs.temp_dir())
    dir = temp:path()
    local _ <close> = t()
    fn(t, dir)
  end)
end

-- A handler that an injected error ends is not reported.
local silent = { on_error = function() end }

local function echo(t)
  return function(conn)
    local _ <close> = t()
    for piece in conn do conn:write(piece) end
  end
end

io_scenario("net_echo", function(t)
  rille.scope(function(s)
    local listener <close> = assert(net.listen("127.0.0.1", 0, echo(t), silent))
    rille.scope(function(inner)
      for i = 1, 2 do
        inner:go(function()
          local _ <close> = t()
          local conn <close> = net.connect("127.0.0.1", listener:port(), { timeout = 5 })
          if not conn then return end
          for n = 1, 2 do
            local _ <close> = t()
            conn:write(("%d %d\n"):format(i, n))
            conn:read_line()
          end
          conn:shutdown()
          conn:read_all()
        end)
      end
    end)
    local _ <close> = t(function() s:active() end)
  end)
end)

-- More than fits into the buffers, so that writes wait.
io_scenario("net_slow_reader", function(t)
  rille.scope(function()
    local listener <close> = assert(net.listen("127.0.0.1", 0, function(conn)
      local _ <close> = t()
      for _ = 1, 3 do conn:read() rille.sleep(0.002) end
    end, { on_error = function() end }))
    local conn <close> = net.connect("127.0.0.1", listener:port())
    local _ <close> = t()
    for _ = 1, 2 do conn:write(("x"):rep(4 << 20)) end
  end)
end)

-- Several addresses; nobody listens on the first.
io_scenario("net_connect_names", function(t)
  rille.scope(function()
    local listener <close> = assert(net.listen("127.0.0.1", 0, echo(t), silent))
    local _ <close> = t()
    local conn <close> = net.connect("localhost", listener:port(), { timeout = 5 })
    if conn then
      conn:write "x"
      conn:read(1)
    end
  end)
end)

io_scenario("net_refused", function(t)
  local port
  do
    local free <close> = assert(net.udp("127.0.0.1"))
    port = select(2, free:address())
  end
  local _ <close> = t()
  net.connect("127.0.0.1", port, { timeout = 5 })
  net.connect("unix", "/no/such/socket")
end)

dir_scenario("net_unix", function(t, dir)
  rille.scope(function()
    local _ <close> = assert(net.listen("unix", dir .. "/socket", echo(t), silent))
    local conn <close> = net.connect("unix", dir .. "/socket")
    local _ <close> = t()
    conn:write "hello\n"
    rille.select { { conn }, { rille.after(5) } }
    conn:shutdown()
    conn:read_all()
  end)
end)

io_scenario("net_limits", function(t)
  rille.scope(function(s)
    local listener <close> = assert(net.listen("127.0.0.1", 0, function(conn)
      local _ <close> = t()
      conn:write "x"
      conn:read()
    end, { max_connections = 1, on_error = function() local _ <close> = t() end }))
    for _ = 1, 2 do
      s:go(function()
        local _ <close> = t()
        local conn <close> = net.connect("127.0.0.1", listener:port())
        if conn then conn:read() end
      end)
    end
    while listener:stats().accepted < 2 do
      local _ <close> = t()
      rille.timeout(0.02, rille.sleep, 0.005)
      if s:active() == 1 then break end
    end
  end)
end)

io_scenario("net_udp", function(t)
  rille.scope(function(s)
    local a <close> = assert(net.udp("127.0.0.1"))
    local b <close> = assert(net.udp("127.0.0.1"))
    local _, port = b:address()
    s:go(function()
      local _ <close> = t()
      rille.timeout(1, function()
        local data, from = b:recv()
        if data then b:send(data, from) end
      end)
    end)
    local _ <close> = t()
    a:send("ping", "127.0.0.1", port)
    rille.timeout(0.5, a.recv, a)
  end)
end)

dir_scenario("fs_write_file", function(t, dir)
  local path = dir .. "/file"
  assert(fs.write_file(path, "old"))
  t.after(function()
    if uv.fs_stat(path) then return "a file is left" end
  end)
  rille.scope(function(s)
    s:go(function()
      local _ <close> = t()
      fs.write_file(path, "new", { sync = true })
    end)
    local _ <close> = t()
    local text = fs.read_file(path)
    if text ~= "old" and text ~= "new" then error("a part of a file: " .. tostring(text), 0) end
  end)
  if #fs.readdir(dir) > 1 then error("a temporary file is left", 0) end
end)

dir_scenario("fs_open_files", function(t, dir)
  local file <close> = assert(fs.open(dir .. "/a", "w+"))
  local _ <close> = t()
  rille.scope(function(s)
    s:go(function() local _ <close> = t() file:write { "one\n", "two\n" } end)
    file:write "three\n"
  end)
  file:seek("set", 0)
  for _ in file:lines() do local _ <close> = t() end
  local temp <close> = fs.temp_file { dir = dir }
  temp:write(("x"):rep(100000))
  temp:truncate(10)
end)

dir_scenario("fs_tree", function(t, dir)
  assert(fs.mkdir(dir .. "/a/b/c", { parents = true }))
  assert(fs.write_file(dir .. "/a/f", "x", { atomic = false }))
  fs.copy(dir .. "/a/f", dir .. "/a/b/g")
  for path in fs.walk(dir) do
    local _ <close> = t()
    fs.stat(path)
  end
  fs.remove(dir .. "/a", { recursive = true })
end)

dir_scenario("fs_watch", function(t, dir)
  local watch <close> = assert(fs.watch(dir))
  rille.scope(function(s)
    s:go(function()
      local _ <close> = t()
      fs.write_file(dir .. "/a", "x", { atomic = false })
    end)
    local _ <close> = t()
    rille.timeout(0.2, watch.recv, watch)
  end)
end)

io_scenario("process_run", function(t)
  local _ <close> = t()
  local result = process.run({ "cat" }, { stdin = ("x"):rep(200000), grace = 0.1 })
  if result and result.status == 0 and #result.stdout ~= 200000 then error("output is lost", 0) end
end)

io_scenario("process_spawn", function(t)
  rille.scope(function(s)
    local p <close> = assert(process.spawn({ "cat" }, { grace = 0.1, stderr = "pipe" }))
    s:go(function()
      local _ <close> = t()
      for _ = 1, 3 do p:stdin():write "line\n" end
      p:stdin():close()
    end)
    for _ in p:stdout():lines() do local _ <close> = t() end
    local _ <close> = t()
    p:wait()
  end)
end)

-- One that must be killed, in a group of its own.
io_scenario("process_stubborn", function(t)
  rille.scope(function()
    local script = "trap '' TERM; echo; while :; do sleep 0.01; done"
    local p = assert(process.spawn({ "sh", "-c", script },
      { grace = 0.02, group = true, stdin = "null" }))
    local _ <close> = t()
    p:stdout():read_line()
    rille.select { { p:exited() }, { rille.after(0.01) } }
  end)
end)

io_scenario("process_of_a_map", function(t)
  rille.scope(function(s)
    local _ <close> = t()
    s:map({ "true", "false", "no such program" }, function(name)
      local _ <close> = t()
      return process.run({ name }, { grace = 0.1 })
    end, { concurrency = 2 })
  end)
end)

io_scenario("signal", function(t)
  local me = math.tointeger(uv.os_getpid())
  rille.scope(function(s)
    local signal <close> = rille.signal "usr1"
    s:go(function()
      local _ <close> = t()
      uv.kill(me, "sigusr1")
      rille.yield()
      if not signal:is_closed() then uv.kill(me, "sigusr1") end
    end)
    local _ <close> = t()
    for _ = 1, 2 do rille.select { { signal }, { rille.after(0.05) } } end
  end)
end)

io_scenario("shutdown_of_a_server", function(t)
  local shutdown <close> = rille.shutdown { timeout = 1, signals = {} }
  rille.scope(function(s)
    local listener = assert(net.listen("127.0.0.1", 0, echo(t), silent))
    s:on_shutdown(function()
      local _ <close> = t()
      rille.yield()
      listener:close()
    end)
    local _ <close> = t(function() listener:close() end)
    local conn <close> = net.connect("127.0.0.1", listener:port())
    if conn then conn:write "x" conn:read() end
    shutdown:trigger()
    if conn then conn:shutdown() conn:read_all() end
  end)
end)

io_scenario("uv_call", function(t)
  local _ <close> = t()
  rille.uv_call(uv.fs_stat, ".")
  rille.uv_call(uv.getaddrinfo, "localhost", nil, { socktype = "stream" })
  local timer = uv.new_timer()
  local _ <close> = t(function() timer:close() end)
  rille.await(function(resolve)
    timer:start(2, 0, resolve)
    return function() timer:stop() end
  end)
end)

return scenarios
