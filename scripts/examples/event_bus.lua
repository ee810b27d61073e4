-- An event bus whose subscribers are not equally fast. Each says for itself
-- what is to be done when it cannot keep up:
--
--   billing   must not lose an order: publishers wait for it
--   screen    is slow, and wants the latest: what it had no time for is dropped
--   watchdog  wants a sample: what comes while it is busy is dropped
--
-- Run it with `rille event_bus.lua`.
local rille = require "rille"

local function billing(orders)
  local count = 0
  for event in orders do
    count = count + 1
    print("billing", event.topic, event.value)
  end
  print("billing", count .. " orders, " .. orders:dropped() .. " dropped")
end

local function screen(orders)
  for order in orders do
    print("screen", order)
    rille.sleep(0.02) -- as long as it takes to draw
  end
  print("screen", "late by now, " .. orders:dropped() .. " dropped")
end

rille.scope(function(s)
  local bus <close> = rille.event_bus()
  s:go(billing, bus:subscribe("orders.*", { buffer = 2, with_topic = true }))
  s:go(screen, bus:subscribe("orders.>", { buffer = 1, overflow = "drop_oldest" }))
  local sample = bus:subscribe("orders.paid", { buffer = 1, overflow = "drop_newest",
    on_drop = function(order) print("watchdog", "misses " .. order) end })
  print("topics", table.concat(bus:topics(), "  "))

  for i = 1, 6 do
    local topic = i % 2 == 0 and "orders.paid" or "orders.created"
    local reached = bus:publish(topic, "order " .. i)
    print("shop", "order " .. i .. " has reached " .. reached)
  end

  -- Who had rather fail than wait or drop is named.
  bus:subscribe("alarms", { buffer = 1, overflow = "error" })
  bus:publish("alarms", "door")
  local reached, err = bus:publish("alarms", "window")
  print("alarms", reached, err)
  print("watchdog", "has " .. sample:recv())
end) -- the bus is closed here; its subscribers come to an end

-- options: --virtual
-- expect: topics	orders.*  orders.>  orders.paid
-- expect: shop	order 1 has reached 2
-- expect: shop	order 2 has reached 3
-- expect: billing	orders.created	order 1
-- expect: billing	orders.paid	order 2
-- expect: billing	orders.created	order 3
-- expect: screen	order 3
-- expect: shop	order 3 has reached 2
-- expect: watchdog	misses order 4
-- expect: shop	order 4 has reached 2
-- expect: shop	order 5 has reached 2
-- expect: watchdog	misses order 6
-- expect: shop	order 6 has reached 2
-- expect: alarms	nil	full: no room left at 'alarms#4'
-- expect: watchdog	has order 2
-- expect: billing	orders.paid	order 4
-- expect: billing	orders.created	order 5
-- expect: billing	orders.paid	order 6
-- expect: billing	6 orders, 0 dropped
-- expect: screen	order 6
-- expect: screen	late by now, 4 dropped
