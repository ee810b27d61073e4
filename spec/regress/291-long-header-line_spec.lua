-- A header line of more than 100 KB is want of memory for libcurl, and so it was
-- raised as "not enough memory"; and a head beyond libcurl's own limit was of
-- kind `protocol`.
local helper = require "spec.helper"
local h = require "spec.http_client_helper"

local function too_large(head, opts)
  h.run(function(client)
    local url = h.listen(function(conn)
      h.read_request(conn)
      conn:write{"HTTP/1.1 200 OK\r\n", head}
    end)
    local err = helper.refused("too_large", client:get(url, opts))
    assert.matches("the head of the response is too large", err.message)
  end)
end

describe("a response whose head is too large", function()
  it("for one of its lines is told as such", function()
    too_large("X: " .. ("x"):rep(200000) .. "\r\n\r\n")
  end)

  it("for libcurl is told as such", function()
    too_large(("X: " .. ("x"):rep(1000) .. "\r\n"):rep(1000), {max_head = 2 ^ 21 | 0})
  end)
end)
