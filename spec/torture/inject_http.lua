-- What inject_spec.lua interrupts at every point, continued: HTTP, both sides of it,
-- on the real clock. `t` is inject.lua's tracker.
local rille = require "rille"
local inject = require "spec.torture.inject"
local sys = require "spec.sys_helper"

local http = rille.http

local scenarios = {}

-- A scenario in which `handler` answers on `port`, and fn(t, client, url) asks. A
-- client that nobody has closed, because an error came before it was bound, is closed
-- by the collector.
local function http_scenario(name, opts, handler, fn)
  local function scenario(t)
    t.after(function(raised)
      if raised then collectgarbage() end
      return sys.compare(t.before)
    end)
    rille.scope(function()
      local server <close> = assert(http.serve("127.0.0.1", 0, function(req)
        local _ <close> = t()
        return handler(t, req)
      end, opts))
      local client <close> = http.client { max_per_host = 2 }
      local _ <close> = t()
      fn(t, client, ("http://127.0.0.1:%d/"):format(server:port()))
    end)
  end
  scenarios[name] = scenario
  inject.real[scenario] = sys.resources
end

local function silent(opts)
  opts.on_error, opts.grace = function() end, 0.05
  return opts
end

http_scenario("http_requests", silent {}, function(_, req)
  rille.sleep(0.001)
  return req.method .. " " .. req.path
end, function(t, client, url)
  rille.scope(function(s)
    for i = 1, 3 do
      s:go(function()
        local _ <close> = t()
        client:get(url .. i, { timeout = 5 })
      end)
    end
  end)
  client:post(url, { body = ("x"):rep(200000) })
end)

http_scenario("http_streams", silent { stream = true }, function(_, req)
  local size = 0
  for piece in req:chunks() do size = size + #piece end
  local left = 4
  return { body = function()
    left = left - 1
    rille.yield()
    return left > 0 and ("y"):rep(100000) or left == 0 and tostring(size) or nil
  end }
end, function(t, client, url)
  local pieces = 3
  local response = client:post(url, { stream = true, timeout = 5, body = { read = function()
    local _ <close> = t()
    rille.yield()
    pieces = pieces - 1
    return pieces >= 0 and ("z"):rep(70000) or nil
  end } })
  if not response then return end
  local body <close> = response.body
  body:read(10)
  local _ <close> = t()
  body:read_all()
end)

http_scenario("http_timeouts", silent { idle_timeout = 0.01 }, function(_, req)
  rille.sleep(req.path == "/slow" and 5 or 0)
  return "late"
end, function(t, client, url)
  client:get(url .. "slow", { timeout = 0.01 })
  local _ <close> = t()
  rille.timeout(0.01, client.get, client, url .. "slow")
  client:get(url, { stream = true })
end)

return scenarios
