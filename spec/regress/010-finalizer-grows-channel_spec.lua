-- A finalizer that ran while the buffer of a channel was made larger, and sent
-- to that channel, made it larger too: then the smaller of the two buffers was
-- kept, and values were lost.

local rille = require "rille"

-- Sends to a channel whose buffer must grow, while a finalizer sends 40 more
-- if the collector happens to come then. Returns how many were sent, how many
-- received, and whether it came.
local function send_and_count(delay)
  local ch, sent, state = rille.channel(math.huge), 0, "waiting"
  local function send(count)
    for _ = 1, count do sent = sent + 1 assert(ch:try_send(sent)) end
  end
  local function arm()
    setmetatable({}, { __gc = function()
      if state == "sending" then state = "came" send(40) end
      if state == "waiting" then arm() end
    end })
  end
  send(16)
  arm()
  for _ = 1, delay do local _ = {} end
  state = "sending"
  send(1)
  local came = state == "came"
  state = "done"
  return sent, #ch:recv_many(100), came
end

describe("a channel whose buffer grows", function()
  it("loses nothing when a finalizer sends to it", function()
    local times = 0
    collectgarbage("incremental", 1, 1000, 1)
    rille.run(function()
      for delay = 1, 200 do
        local sent, received, came = send_and_count(delay % 50)
        assert.equal(sent, received)
        times = times + (came and 1 or 0)
      end
    end)
    collectgarbage("incremental", 200, 100, 13)
    assert.is_true(times > 0)
  end)
end)
