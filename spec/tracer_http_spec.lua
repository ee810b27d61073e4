-- OTLP over HTTP, against a server in the same program.
local rille = require "rille"
local helper = require "spec.helper"

local http = rille.http

-- Runs fn(make, requests, base) on the virtual clock: make(opts) gives a tracer that
-- sends to a server, which answers as `answers` say, one after the other and the
-- last one again and again: a response, or a function(req) that gives one.
local function serve(answers, fn)
  helper.run(function()
    local requests = {}
    local server <close> = assert(http.serve("127.0.0.1", 0, function(req)
      requests[#requests + 1] = req
      local answer = answers[math.min(#requests, #answers)]
      if type(answer) == "function" then return answer(req) end
      return answer
    end, { grace = 0 }))
    local tracers, base = {}, ("http://127.0.0.1:%d"):format(server:port())
    fn(function(opts)
      opts = opts or {}
      opts.endpoint = opts.endpoint or base
      tracers[#tracers + 1] = rille.tracer(opts)
      return tracers[#tracers]
    end, requests, base)
    for _, t in ipairs(tracers) do t:shutdown(1) end
  end)
end

local function send(t, name)
  t:start_span(name or "x"):finish()
  return t:force_flush()
end

describe("the exporter 'otlp'", function()
  it("posts protobuf to /v1/traces", function()
    serve({ "" }, function(make, requests)
      local t = make { service = "shop", headers = { ["X-Key"] = "k" } }
      send(t, "order")
      local req = requests[1]
      assert.are.equal("POST /v1/traces", req.method .. " " .. req.path)
      assert.are.equal("application/x-protobuf", req.headers["content-type"])
      assert.are.equal("k", req.headers["x-key"])
      assert.are.equal("OTel-OTLP-Exporter-Lua/" .. rille.version, req.headers["user-agent"])
      assert.is_truthy(req.body:find("order", 1, true))
      assert.is_truthy(req.body:find("shop", 1, true))
      assert.are.equal(1, t:stats().exported)
    end)
  end)

  it("posts JSON if it is told to", function()
    serve({ "{}" }, function(make, requests)
      send(make { protocol = "http/json" }, "order")
      assert.are.equal("application/json", requests[1].headers["content-type"])
      assert.is_truthy(requests[1].body:find('^{"resourceSpans":%[.*"name":"order"'))
    end)
  end)

  it("tells what the collector has rejected, and does not send it again", function()
    local partial = "\10\7\8\3\18\3bad"
    serve({ { body = partial, headers = { ["Content-Type"] = "application/x-protobuf" } } },
      function(make, requests)
        local t = make()
        send(t)
        assert.are.equal("1 3 1", ("%d %d %d"):format(#requests, t:stats().rejected,
          t:stats().exported))
      end)
    serve({ { body = '{"partialSuccess":{"rejectedSpans":"2","errorMessage":"no"}}',
      headers = { ["Content-Type"] = "application/json" } } }, function(make)
      local t = make { protocol = "http/json" }
      send(t)
      assert.are.equal(2, t:stats().rejected)
    end)
  end)

  it("bears an answer that is nonsense", function()
    serve({ { body = "\255\255<html>", headers = { ["Content-Type"] = "x/y" } } }, function(make)
      local t = make()
      send(t)
      assert.are.equal("1 0", t:stats().exported .. " " .. t:stats().rejected)
    end)
  end)

  it("is not traced itself", function()
    serve({ "" }, function(make, requests)
      local t = make()
      rille.scope({ tracer = t, name = "outer" }, function()
        send(t)
        assert.are.equal("outer", rille.span() and "outer")
      end)
      t:force_flush()
      assert.are.equal(2, t:stats().started)
      assert.are.equal(2, #requests)
    end)
  end)
end)

describe("the address", function()
  for _, row in ipairs {
    { "endpoint", "", "/v1/traces" }, { "endpoint", "/", "/v1/traces" },
    { "endpoint", "/a/b", "/a/b/v1/traces" }, { "endpoint", "/a/", "/a/v1/traces" },
    { "traces_endpoint", "", "/" }, { "traces_endpoint", "/", "/" },
    { "traces_endpoint", "/a/b", "/a/b" },
  } do
    it(("%s BASE%s is asked at %s"):format(row[1], row[2], row[3]), function()
      serve({ "" }, function(make, requests, base)
        send(make { [row[1]] = base .. row[2] })
        assert.are.equal(row[3], requests[1].path)
      end)
    end)
  end
end)
