-- The first answer wins: several servers are asked at once; the others are
-- cancelled when one has answered, and their connections closed.
--
-- `race` takes the first that ends, be it with an error; `any` the first that
-- succeeds. The servers are real ones on the loopback: a quick one, slow ones,
-- one that hangs up.
local rille = require "rille"
local net = require "rille.net"

local open = 0 -- connections that clients have

-- A server that answers each connection with `text` after a while; without a
-- text it hangs up. Returns its port.
local function serve(text, seconds)
  local listener = net.listen("127.0.0.1", 0, function(conn)
    rille.sleep(seconds)
    if text then conn:write(text) end
  end)
  return listener:port()
end

-- Notes when a connection is closed, whoever wins.
local function counted(conn)
  open = open + 1
  return setmetatable({}, { __close = function()
    conn:close()
    open = open - 1
  end })
end

local function ask(port)
  return function()
    local conn, err = net.connect("127.0.0.1", port)
    if not conn then return nil, err end
    local _ <close> = counted(conn)
    local answer = conn:read()
    if not answer then return nil, "hung up" end
    return answer
  end
end

rille.scope({ name = "servers" }, function(scope)
  local near = ask(serve("near", 0.05))
  local far = ask(serve("far", 600))
  local lost = ask(serve("lost", 600))
  local broken = ask(serve(nil, 0))

  print("race", scope:race { far, near, lost })
  print("race", scope:race { far, lost, broken })
  print("any", scope:any { far, near, broken })

  local answer, err = scope:any { broken, ask(1) }
  print("any", answer, err.kind, err.errors[1], err.errors[2].code)

  print("too slow", rille.timeout(0.05, function() return scope:race { far, lost } end) == nil)
  print("connections open: " .. open)
  scope:cancel() -- the servers have no more to do
end)

-- expect: race	near
-- expect: race	nil	hung up
-- expect: any	near
-- expect: any	nil	all_failed	hung up	ECONNREFUSED
-- expect: too slow	true
-- expect: connections open: 0
