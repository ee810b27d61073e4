-- A body that came by and by and had less than its Content-Length left the
-- server waiting, and the client with it; what was more was silently cut off.
local h = require "spec.http_client_helper"

-- Sends a body of these pieces as one of 5 bytes. Returns what comes of it.
local function put(pieces)
  return h.run(function(client)
    local url = h.serve(function(request) return h.response(request.body) end)
    local i = 0
    return client:put(url, {headers = {["Content-Length"] = 5}, timeout = 60, body = function()
      i = i + 1
      return pieces[i]
    end})
  end)
end

describe("a body that comes by and by, of 5 bytes", function()
  it("is sent as such", function()
    assert.equal("abcde", assert(put{"ab", "", "cde"}).body)
  end)

  it("fails the request when it has fewer", function()
    assert.equal("the body of the request has 3 bytes of 5", select(2, put{"abc"}))
    assert.equal("the body of the request has 0 bytes of 5", select(2, put{}))
  end)

  it("fails it when it has more", function()
    assert.equal("the body of the request has more than 5 bytes", select(2, put{"abc", "def"}))
  end)
end)
