-- http_client_redirect_spec.lua - where a response leads, and what goes along.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"

-- A server: /NNN redirects with that status to /end, /to?URL with 302 to URL,
-- where "_" stands for a blank; everything else is answered with the request.
local function serve()
  return h.serve(function(request)
    local status = request.path:match "^/(3%d%d)$"
    if status then return h.response("moved", "Location: /end", status .. " Moved") end
    local to = request.path:match "^/to%?(.*)"
    if to then return h.response("moved", "Location: " .. to:gsub("_", " "), "302 Found") end
    return h.response(table.concat({request.method, request.path, request.body,
      request.get "authorization" or "-", request.get "content-type" or "-"}, " "))
  end)
end

describe("a redirection", function()
  for _, case in ipairs{
    {"get", 301, "GET /end  - -"}, {"get", 302, "GET /end  - -"}, {"get", 303, "GET /end  - -"},
    {"get", 307, "GET /end  - -"}, {"get", 308, "GET /end  - -"},
    {"post", 301, "GET /end  - -"}, {"post", 302, "GET /end  - -"}, {"post", 303, "GET /end  - -"},
    {"post", 307, "POST /end x - t/x"}, {"post", 308, "POST /end x - t/x"},
    {"put", 301, "PUT /end x - t/x"}, {"put", 303, "GET /end  - -"},
    {"put", 307, "PUT /end x - t/x"}, {"delete", 302, "DELETE /end x - t/x"},
  } do
    local method, status = case[1], case[2]
    it(("of %s by %d arrives as %s"):format(method, status, case[3]), function()
      h.run(function(client)
        local body = method ~= "get" and "x" or nil
        local r = assert(client[method](client, serve() .. status,
          {body = body, headers = body and {["Content-Type"] = "t/x"}}))
        assert.equal(case[3], r.body)
      end)
    end)
  end

  it("of HEAD stays HEAD", function()
    h.run(function(client)
      local r = assert(client:head(serve() .. 303))
      assert.equal(200, r.status)
    end)
  end)

  it("tells where it has led", function()
    h.run(function(client)
      local url = serve()
      assert.equal(url .. "b/c", client:get(url .. "to?b/c").url)
      assert.equal(url .. "b%20c", client:get(url .. "to?/b_c").url)
    end)
  end)

  it("uses the same connection", function()
    h.run(function(client)
      client:get(serve() .. 301)
      assert.equal(1, client:stats().connects)
      assert.equal(2, client:stats().requests)
    end)
  end)

  it("is read to its end, if that is near, so that its connection can be used again", function()
    h.run(function(client)
      local url = h.serve(function(request, conn)
        if request.path == "/end" then return h.response "end" end
        conn:write "HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 4\r\n\r\n"
        rille.sleep(0.01)
        return "late"
      end)
      assert.equal("end", client:get(url).body)
      assert.equal(1, client:stats().connects)
    end)
  end)

  it("without a Location is a response", function()
    h.run(function(client)
      local r = assert(client:get((h.serve(function() return h.response("x", nil, "302 F") end))))
      assert.same({302, "x"}, {r.status, r.body})
    end)
  end)

  it("that is no HTTP is an error", function()
    h.run(function(client)
      for _, to in ipairs{"ftp://x/", "file:///etc/passwd", "http://x:99999/"} do
        local err = helper.refused("protocol", client:get(serve() .. "to?" .. to))
        assert.matches("which is no URL of HTTP", err.message)
      end
    end)
  end)

  it("cannot send a body again that came by and by", function()
    h.run(function(client)
      local body = rille.channel(1)
      body:send "x"
      body:close()
      local err = helper.refused("protocol", client:put(serve() .. 307, {body = body}))
      assert.matches("cannot be sent again", err.message)
    end)
  end)

  it("to another origin takes no credentials along", function()
    h.run(function(client)
      local here, there = serve(), serve()
      local opts = {headers = {Authorization = "secret"}}
      assert.equal("GET /end  secret -", client:get(here .. "301", opts).body)
      assert.equal("GET /  - -", client:get(here .. "to?" .. there, opts).body)
    end)
  end)

  it("goes on with a stream", function()
    h.run(function(client)
      local r <close> = assert(client:get(serve() .. 302, {stream = true}))
      assert.equal("GET /end  - -", r.body:read_all())
    end)
  end)

  it("with a large body closes its connection", function()
    h.run(function(client)
      local url = h.serve(function(request)
        if request.path == "/end" then return h.response "end" end
        return h.response(("x"):rep(4000000), "Location: /end", "302 Found")
      end)
      assert.equal("end", client:get(url).body)
      assert.equal(2, client:stats().connects)
    end)
  end)
end)

describe("redirects", function()
  -- /n leads to /n-1, and /0 is the end.
  local function chain()
    return h.serve(function(request)
      local n = math.tointeger(request.path:sub(2))
      if n == 0 then return h.response "end" end
      return h.response("", ("Location: /%d"):format(n - 1), "302 Found")
    end)
  end

  it("is how many there may be", function()
    h.run(function(client)
      local url = chain()
      assert.equal("end", client:get(url .. "2", {redirects = 2}).body)
      local err = helper.refused("protocol", client:get(url .. "3", {redirects = 2}))
      assert.matches("more than 2 redirections$", err.message)
    end)
  end)

  it("is 10 unless said otherwise", function()
    h.run(function(client)
      local url = chain()
      assert.equal("end", client:get(url .. "10").body)
      helper.refused("protocol", client:get(url .. "11"))
      assert.equal("end", client:get(url .. "10", {redirects = true}).body)
    end)
  end)

  it("is none with false or 0: the redirection is the response", function()
    h.run(function(client)
      local url = chain()
      assert.equal(302, client:get(url .. "1", {redirects = false}).status)
      assert.equal("/0", client:get(url .. "1", {redirects = 0}).headers.location)
    end)
  end)
end)
