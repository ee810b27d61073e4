-- A HEAD, and a request for a range, asked for a compressed body: so the size of
-- what there is was not told, and a part of a compressed body cannot be unpacked.
local rille = require "rille"
local h = require "spec.http_client_helper"

-- A server with a compressed form of "hello", which it gives if it is asked for.
local function serve(dir)
  local packed = rille.process.run({"gzip", "-c"}, {stdin = "hello", cwd = dir}).stdout
  return (h.serve(function(request)
    local gzip = request.get "accept-encoding" ~= nil
    local text = h.response(gzip and packed or "hello", gzip and "Content-Encoding: gzip" or nil)
    return request.method == "HEAD" and text:match "^.-\r\n\r\n" or text
  end))
end

describe("a compressed body", function()
  it("is asked for by a GET", function()
    h.run(function(client, _, dir)
      local r = assert(client:get(serve(dir)))
      assert.same({"hello"}, {r.body, r.headers["content-length"]})
    end)
  end)

  it("is not asked for by a HEAD, which tells the size", function()
    h.run(function(client, _, dir)
      assert.equal("5", assert(client:head(serve(dir))).headers["content-length"])
    end)
  end)

  it("is not asked for where a part of it is wanted", function()
    h.run(function(client, _, dir)
      local r = assert(client:get(serve(dir), {headers = {Range = "bytes=0-4"}}))
      assert.same({"hello", "5"}, {r.body, r.headers["content-length"]})
    end)
  end)

  it("that nobody has asked for is left as it is", function()
    h.run(function(client)
      local url = h.once(h.response("packed", "Content-Encoding: gzip"))
      local r = assert(client:get(url, {headers = {Range = "bytes=0-5"}}))
      assert.same({"packed", "gzip"}, {r.body, r.headers["content-encoding"]})
    end)
  end)
end)
