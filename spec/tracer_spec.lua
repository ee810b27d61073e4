-- rille.tracer as a whole: what the engine's spans are in the end.
local rille = require "rille"
local helper = require "spec.helper"

-- The spans as a tree of names, in the order of their starts.
local function tree(spans, parent)
  local list = {}
  for _, span in ipairs(spans) do
    if span.parent_span_id == (parent and parent.span_id) then list[#list + 1] = span end
  end
  table.sort(list, function(a, b) return a.start_ns < b.start_ns end)
  for i, span in ipairs(list) do
    local inner = tree(spans, span)
    list[i] = span.name .. (inner ~= "" and "(" .. inner .. ")" or "")
  end
  return table.concat(list, " ")
end

describe("a tracer of a scope", function()
  it("makes one trace of all that is in it", function()
    local t = rille.tracer { exporter = "memory" }
    helper.run(function()
      rille.scope({ tracer = t, name = "order" }, function(s)
        s:go({ otel = { name = "pay" } }, function()
          rille.sleep(1)
          rille.scope({ name = "charge" }, function() rille.sleep(1) end)
        end)
        rille.sleep(0.5)
        s:task(function() end, { otel = { name = "ship" } })
        rille.sleep(0.1)
        t:start_span "note":finish()
      end)
    end)
    assert.are.equal("order(pay(charge) ship note)", tree(t:spans()))
    for _, span in ipairs(t:spans()) do assert.are.equal(t:spans()[1].trace_id, span.trace_id) end
  end)

  it("says how it ended", function()
    local t = rille.tracer { exporter = "memory" }
    pcall(helper.run, { tracer = t }, function()
      rille.root():go(function() error("boom", 0) end)
    end)
    local task, root = table.unpack(t:spans())
    assert.are.same({ code = "error", message = "boom" }, task.status)
    assert.are.same({ code = "error", message = "boom" }, root.status)
    assert.are.equal("_OTHER", task.attributes["error.type"])
  end)

  it("is handed to what a service in another program asks for", function()
    local t = rille.tracer { exporter = "memory" }
    helper.run(function()
      local server <close> = assert(rille.http.serve("127.0.0.1", 0, function(req)
        local otel = { name = "GET " .. req.path, kind = "server", parent = t:extract(req.headers) }
        return rille.scope({ tracer = t, otel = otel }, function() return "ok" end)
      end))
      rille.scope({ tracer = t, otel = { name = "ask", kind = "client" } }, function()
        rille.http.get(("http://127.0.0.1:%d/a"):format(server:port()), { headers = t:inject {} })
      end)
    end)
    assert.are.equal("ask(GET /a)", tree(t:spans()))
    assert.is_true(t:spans()[1].remote_parent)
  end)

  it("counts its spans", function()
    local t = rille.tracer { exporter = "memory" }
    helper.run({ tracer = t }, function()
      t:start_span "x":finish()
      local s = t:stats()
      assert.are.same({ 2, 1, 1 }, { s.started, s.finished, s.live })
    end)
    assert.are.equal(0, t:stats().live)
  end)

  it("works in a child's environment", function()
    local t = rille.tracer { exporter = "memory" }
    helper.run(function()
      rille.scope({ tracer = t }, function()
        local out = rille.process.run({ "printenv", "TRACEPARENT" }, { env = t:inject_env() })
        assert.are.equal(t:inject({}).traceparent, (out.stdout:gsub("\n", "")))
      end)
    end)
  end)
end)

describe("the exporter 'console'", function()
  it("writes a line for each span, and one for each event", function()
    local output = helper.stock_lua [[
      local rille = require "rille"
      local t = rille.tracer {exporter = "console"}
      rille.run({clock = "virtual", seed = 1}, function()
        local attributes = {b = "x\ny", a = {1, "z"}}
        local span <close> = t:start_span("db", {kind = "client", attributes = attributes})
        rille.sleep(0.25)
        span:add_event("row", {n = 1})
        span:set_status("error", "no")
      end)]]
    local id = ("%x"):rep(32, ""):gsub("%%x", "[%%da-f]")
    assert.is_truthy(output:find("^span db %(client%) " .. id .. "/%x+ 250.000 ms error: no "
      .. 'a={1, "z"} b="x\\ny"\n  250.000 ms row n=1\n$'))
  end)
end)

describe("tracing under random schedules", function()
  it("finishes every span, under its own parent", function()
    local t
    assert(rille.testing.explore(function()
      t = rille.tracer { exporter = "memory" }
      rille.scope({ tracer = t, name = "top" }, function(s)
        for i = 1, 4 do
          s:go({ otel = { name = "t" .. i } }, function()
            rille.scope({ name = "s" .. i }, function(q)
              q:task(rille.yield, { otel = { name = "leaf" .. i } }):await()
              rille.sleep(0.01 * i)
              assert(rille.span() ~= nil)
            end)
          end)
        end
      end)
      local names = {}
      for _, span in ipairs(t:spans()) do names[span.span_id] = span.name end
      assert(#t:spans() == 13)
      for _, span in ipairs(t:spans()) do
        local kind, number = span.name:match "^(%l+)(%d?)$"
        local above = ({ leaf = "s" .. number, s = "t" .. number, t = "top" })[kind]
        assert(names[span.parent_span_id] == above)
      end
    end, { seeds = 40 }))
  end)
end)
