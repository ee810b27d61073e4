-- http_client_hostile_spec.lua - what a script must not be able to break: calls at
-- wrong times, with wrong receivers, by the debug library; and many random ones.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"

local http = require "rille.http"

-- The C object behind a body, as a script with the debug library gets at it.
local function transfer_of(body)
  return debug.getmetatable(body).__source(body)
end

-- Runs fn(body, transfer, client) on a body of which "abc" has come.
local function with_body(fn)
  h.run(function(client)
    local url = h.half()
    local r <close> = assert(client:get(url, {stream = true}))
    fn(r.body, transfer_of(r.body), client)
  end)
end

describe("a transfer", function()
  it("that is finalized by hand wakes who waits, and is closed", function()
    with_body(function(body, transfer)
      body:read()
      local reader = helper.start(function() return body:read() end)
      local selecting = helper.start(function() return select(2, rille.select{{body}}) end)
      debug.getmetatable(transfer).__gc(transfer)
      debug.getmetatable(transfer).__gc(transfer)
      helper.refused("closed", reader:await())
      assert.is_nil((selecting:await()))
    end)
  end)

  it("refuses every other receiver", function()
    with_body(function(_, transfer)
      local methods = debug.getmetatable(transfer).__index
      for name, method in pairs(methods) do
        for _, bad in ipairs{1, "x", {}, io.stdout, print, rille.channel()} do
          helper.raises(function() method(bad, "x") end, "bad self")
        end
        assert.is_string(name)
      end
    end)
  end)

  it("takes calls that make no sense", function()
    with_body(function(body, transfer, client)
      transfer:sent()
      assert.is_false(transfer:send "unwanted")
      transfer:unread "more "
      assert.equal("more abc", body:read())
      transfer:abort()
      transfer:abort()
      helper.refused("protocol", body:read())
      transfer:close()
      transfer:unread "x"
      transfer:sent()
      assert.is_false(transfer:send "x")
      helper.refused("protocol", transfer:head())
      assert.equal(0, client:stats().running)
    end)
  end)

  it("without its metatable is closed by its client", function()
    with_body(function(body, transfer, client)
      local meta = debug.getmetatable(transfer)
      debug.setmetatable(transfer, nil)
      helper.raises(function() body:read() end)
      client:close()
      assert.equal(0, client:stats().running)
      helper.raises(function() body:close() end)
      debug.setmetatable(transfer, meta) -- or its memory would be lost
    end)
  end)
end)

describe("a client", function()
  it("whose pool is finalized by hand is closed", function()
    with_body(function(body, _, client)
      local pool
      for i = 1, 20 do
        local name, value = debug.getupvalue(debug.getmetatable(client).__index.close, i)
        if name == "state_of" then pool = value(client, "close").pool end
      end
      local gc = debug.getmetatable(pool).__gc
      gc(pool)
      gc(pool)
      assert.equal("abc", body:read())
      helper.refused("protocol", body:read())
      helper.raises(function() client:get "http://127.0.0.1:1/" end, "the pool is closed")
      helper.raises(function() client:stats() end, "the pool is closed")
      client:close()
    end)
  end)

  it("is closed by a finalizer in the middle of a request", function()
    h.run(function(client)
      local url = h.serve(function()
        collectgarbage()
        return h.response(("x"):rep(100000))
      end)
      for _ = 1, 20 do
        setmetatable({}, {__gc = function() client:close() end})
        client:get(url)
        client = http.client()
      end
      client:close()
    end)
  end)
end)

-- What a server may do with a connection.
local manners = {
  function(conn) conn:write(h.response "short") end,
  function(conn) conn:write(h.response(("long"):rep(100000))) end,
  function(conn) conn:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc" conn:close() end,
  function(conn) conn:write "nonsense\r\n\r\n" conn:close() end,
  function(conn) conn:close() end,
  function(conn) conn:write(h.response("", "Location: /1", "302 Found")) end,
  function(conn)
    conn:write "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"
    rille.sleep(0.001)
    conn:write "0\r\n\r\n"
  end,
  function(conn) conn:read() conn:close() end,
}

local function serve_randomly(random)
  return h.listen(function(conn)
    for request in h.read_request, conn do
      local manner = manners[math.tointeger(request.path:sub(2))] or manners[random(#manners)]
      manner(conn)
      if conn:is_closed() then return end
    end
  end, function() end)
end

local function giver(random)
  local left = random(0, 5)
  return function()
    left = left - 1
    if left < 0 then return nil end
    if random(10) == 1 then error "no more" end
    rille.sleep(0)
    return ("x"):rep(random(0, 100000))
  end
end

-- What a task may do with a client.
local deeds = {
  function(client, url) client:get(url) end,
  function(client, url, random) client:post(url, {body = ("y"):rep(random(100000))}) end,
  function(client, url, random) client:put(url, {body = giver(random)}) end,
  function(client, url) local _ <close> = client:get(url, {stream = true}) end,
  function(client, url) client:get(url, {stream = true}) end,
  function(client, url)
    local r <close> = client:get(url, {stream = true})
    if r then pcall(function() for _ in r.body do rille.yield() end end) end
  end,
  function(client, url, random)
    local r <close> = client:get(url, {stream = true})
    if r then rille.select({{r.body}, {r.body}}, {timeout = random(0, 3) / 1000}) end
  end,
  function() collectgarbage() end,
}

describe("many random requests", function()
  for seed = 1, 3 do
    it("leave nothing: seed " .. seed, function()
      h.run(function(client)
        local random = helper.random(seed)
        local url = serve_randomly(random)
        local function work()
          for _ = 1, 20 do
            local deed = deeds[random(#deeds)]
            local place = url .. (random(3) == 1 and random(#manners) or 0)
            rille.timeout(random(0, 10) / 1000, deed, client, place, random)
          end
        end
        rille.scope(function(s) for _ = 1, 12 do s:go(work) end end)
        h.wait_until(function() -- what was forgotten
          collectgarbage()
          return client:stats().running == 0
        end)
      end, {max_per_host = seed == 3 and 2 or math.huge})
    end)
  end
end)
