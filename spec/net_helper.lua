-- What the specs of rille.net share: runs on the real clock that fail on a
-- handle or a descriptor left open, and pairs of connected streams.
local rille = require "rille"
local helper = require "spec.helper"
local sys = require "spec.sys_helper"

local net = require "rille.net"

local M = {}

--- A host that does not exist; no name server is asked for it.
M.no_host = "no-such..host"

-- Runs `fn` in a scope of its own; nothing may be left, handles and descriptors
-- included.
function M.run(fn)
  local before = sys.descriptors()
  return helper.run({clock = "real"}, function()
    local results = table.pack(rille.scope(fn))
    local leaks = rille.testing.leaks()
    if leaks[1] then error(("left behind: %s %s"):format(leaks[1].kind, leaks[1].name), 0) end
    local wrong = sys.in_the_end(function()
      local after = sys.descriptors()
      return after ~= before and "left open, of\n" .. after .. "\nbefore\n" .. before or nil
    end)
    if wrong then error(wrong, 0) end
    return table.unpack(results, 1, results.n)
  end)
end

--- Runs fn(a, b, scope): the two ends of a connection. Returns what it returns.
function M.pair(fn)
  return M.run(function(scope)
    local accepted = rille.channel(1)
    local done = rille.channel()
    local listener <close> = assert(net.listen("127.0.0.1", 0, function(conn)
      accepted:send(conn)
      done:recv()
    end, {on_error = "raise"}))
    local a <close> = assert(net.connect("127.0.0.1", listener:port()))
    local b <close> = accepted:recv()
    listener:close()
    local _ <close> = done
    return fn(a, b, scope)
  end)
end

--- Runs fn(raw, b, scope): `b` is one end of a connection, `raw` the other, as a
-- handle of luv's, which can reset it.
function M.raw_pair(fn)
  return M.run(function(scope)
    local accepted, done = rille.channel(1), rille.channel()
    local listener = assert(net.listen("127.0.0.1", 0, function(conn)
      accepted:send(conn)
      done:recv()
    end))
    local raw = rille.uv().new_tcp()
    assert(rille.uv_call(raw.connect, raw, "127.0.0.1", listener:port()))
    local b <close> = accepted:recv()
    listener:close()
    local _ <close> = done
    local _ <close> = setmetatable({}, {__close = function()
      if not raw:is_closing() then raw:close() end
    end})
    return fn(raw, b, scope)
  end)
end

--- A port that is taken, so that nobody else listens there, and refuses. To be
-- closed; `port` is its number.
function M.refusing()
  local handle = rille.uv().new_tcp()
  if not handle:bind("::", 0) then assert(handle:bind("0.0.0.0", 0)) end
  return setmetatable({port = handle:getsockname().port}, {__close = function()
    handle:close()
  end})
end

--- A port that was free just now.
function M.free_port()
  local listener <close> = assert(net.listen("127.0.0.1", 0, print))
  return listener:port()
end

--- Starts a server that must be told its port: start(port) spawns it. Returns the
-- process and the port once somebody can connect; with another port when it has
-- ended, as it does when somebody else was quicker to take the first.
function M.serving(start)
  for _ = 1, 5 do
    local port = M.free_port()
    local server = assert(start(port))
    local ended
    rille.current():scope():go({daemon = true}, function() ended = server:wait() end)
    repeat
      rille.sleep(0.001)
      local conn <close> = net.connect("127.0.0.1", port)
    until conn or ended
    if not ended then return server, port end
  end
  error("the server does not start", 2)
end

--- Starts nginx in `dir`, with a configuration in which PORT stands for the port.
-- Returns the process and the port.
function M.nginx(dir, config)
  return M.serving(function(port)
    assert(rille.fs.write_file(dir .. "/nginx.conf", (config:gsub("PORT", port))))
    return rille.process.spawn({"nginx", "-p", dir, "-c", "nginx.conf", "-e", "stderr"},
      {stdin = "null", stdout = "null", stderr = "null"})
  end)
end

-- A listening port that answers nobody: one connection is served, for ever, and
-- the backlog is full, so the kernel drops what comes. To be closed; `port` is
-- its number.
function M.silence(host, port)
  local uv, over = rille.uv(), rille.channel()
  local listener = assert(net.listen(host, port or 0, function() over:recv() end,
    {max_connections = 1, backlog = 0}))
  local handles = {}
  for i = 1, 4 do
    handles[i] = uv.new_tcp()
    handles[i]:connect(host, listener:port(), function() end)
    M.wait_until(function() return listener:stats().accepted == 1 end)
  end
  return setmetatable({port = listener:port()}, {__close = function()
    for _, handle in ipairs(handles) do handle:close() end
    listener:close()
    over:close()
  end})
end

--- Yields until test() holds.
function M.wait_until(test)
  while not test() do rille.sleep(0.001) end
end

return M
