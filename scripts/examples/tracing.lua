-- A shop that takes an order: every scope and task has a span, with its parent,
-- its time and how it ended. On the virtual clock, so that times are exact.
-- options: --virtual --seed 1
local rille = require "rille"

local t = rille.tracer { service = "shop", exporter = "memory" }

local function find_price(name)
  rille.span():set_attribute("item", name)
  rille.sleep(0.2)
  if name == "moon" then error("not for sale", 0) end
  return 7
end

local attempts = 0

local function charge(amount)
  attempts = attempts + 1
  rille.sleep(0.1)
  if attempts == 1 then return nil, "the bank is busy" end
  return "receipt for " .. amount
end

local function take_order(s)
  local price = s:task(function() return find_price "rope" end, { otel = { name = "price" } })
  s:task(function() return find_price "moon" end, { otel = { name = "price" } }):await()
  rille.scope({ name = "pay", timeout = 5 }, function()
    rille.retry({ delay = 1 }, charge, price:await())
  end)
  local span <close> = t:start_span("mail", { kind = "client", attributes = { to = "you" } })
  rille.timeout(2, rille.sleep, 60)
  span:add_event "given up"
end

rille.scope({ tracer = t, name = "order" }, take_order)

----------------------------------------------------------------------------
-- The trace, as a tree

local function show(parent, indent)
  local list = {}
  for _, span in ipairs(t:spans()) do
    if span.parent_span_id == parent then list[#list + 1] = span end
  end
  table.sort(list, function(a, b)
    if a.start_ns ~= b.start_ns then return a.start_ns < b.start_ns end
    return (a.attributes["task.index"] or 0) < (b.attributes["task.index"] or 0)
  end)
  for _, span in ipairs(list) do
    print(("%s%s %.1f s %s"):format(indent, span.name, span.duration,
      span.status.message or span.status.code))
    for _, event in ipairs(span.events) do print(indent .. "  * " .. event.name) end
    show(span.span_id, indent .. "  ")
  end
end

show(nil, "")
print(("%d spans, all of one trace"):format(t:stats().finished))

-- expect: order 3.4 s unset
-- expect:   * timeout.expired
-- expect:   price 0.2 s unset
-- expect:   price 0.2 s not for sale
-- expect:   pay 1.2 s unset
-- expect:     * retry.scheduled
-- expect:   mail 2.0 s unset
-- expect:     * given up
-- expect: 5 spans, all of one trace
