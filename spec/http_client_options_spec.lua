-- http_client_options_spec.lua - what a request or a client refuses at once.
local rille = require "rille"
local helper = require "spec.helper"
local h = require "spec.http_client_helper"
local sys = require "spec.sys_helper"

local http = require "rille.http"

local URL = "http://127.0.0.1:1/"

-- fn() must raise, with all of `text` in the message.
local function refuses(text, fn)
  rille.run(function()
    local err = helper.raises(fn)
    assert.truthy(tostring(err):find(text, 1, true), tostring(err))
  end)
end

describe("a URL", function()
  for _, case in ipairs{
    {nil, "argument #1 to 'http.get' (a string expected, got nil"},
    {"", "a URL expected, got ''"},
    {"example.org", "a URL expected, got 'example.org'"},
    {"ftp://example.org/", "neither http nor https"},
    {"file:///etc/passwd", "a URL expected"},
    {"http://", "a URL expected"},
    {"http://x:99999/", "a URL expected"},
    {"http://[::1/", "a URL expected"},
    {"http://x/a b", "a blank or a control character"},
    {"http://x/\r\nHost: y", "got 'http://x/??Host: y': it has a blank or a control character"},
    {"http://x/\0", "a control character"},
    {"http://x/\127", "a control character"},
  } do
    it("is refused: " .. tostring(case[1]):gsub("%c", "?"), function()
      refuses(case[2], function() http.get(case[1]) end)
    end)
  end

  it("must be given to request", function()
    refuses("argument #1 to 'http.request' (option 'url': a string expected, got nil)",
      function() http.request{} end)
    refuses("argument #1 to 'http.request' (a table expected", function() http.request(URL) end)
  end)
end)

describe("an option", function()
  for _, case in ipairs{
    {{timeuot = 1}, "unknown option 'timeuot'; did you mean 'timeout'?"},
    {{timeout = "1"}, "option 'timeout': a number of seconds expected, got '1'"},
    {{redirects = -1}, "option 'redirects': a whole number from 0"},
    {{verify = "no"}, "option 'verify': a boolean expected"},
    {{max_body = 1.5}, "option 'max_body'"},
    {{max_head = 0}, "option 'max_head'"},
    {{proxy = true}, "option 'proxy': a string or false expected"},
    {{proxy = "http://x\r\n"}, "option 'proxy': a control character in it"},
    {{ca_file = "a\0b"}, "option 'ca_file': a control character in it"},
    {{version = "3"}, "option 'version'"},
    {{method = "GE T"}, "option 'method': 'GE T' is not a token"},
    {{method = "GET /\r\nX: "}, "option 'method'"},
    {{method = ""}, "option 'method': '' is not a token"},
    {{headers = "A: 1"}, "a table of headers expected"},
    {{headers = {A = "1\r\nB: 2"}}, "a bad value of header 'A'"},
    {{headers = {["A\n"] = "1"}}, "a bad header name"},
    {{headers = {["transfer-encoding"] = "chunked"}}, "Transfer-Encoding is the client's business"},
    {{body = 1}, "option 'body': a string, a list of strings, a function or an object with recv"},
    {{body = {"a", 1}}, "string expected at [2], got number"},
    {{body = {}}, "option 'body'"},
    {{method = "HEAD", body = "x"}, "HEAD has no body"},
    {{scope = 1}, "option 'scope': a scope expected"},
    {{max_connections = 1}, "unknown option 'max_connections'"},
  } do
    it("is refused: " .. case[2], function()
      refuses(case[2], function() http.get(URL, case[1]) end)
    end)
  end

  it("is named with the function it was given to", function()
    refuses("argument #2 to 'http.post'", function() http.post(URL, {timeout = true}) end)
    refuses("argument #1 to 'http.request'", function() http.request{url = URL, body = 1} end)
    refuses("argument #2 to 'http_client:put'",
      function() http.client():put(URL, {timeout = true}) end)
    refuses("argument #1 to 'http_client:request'", function() http.client():request{url = 1} end)
    refuses("argument #1 to 'http.client'", function() http.client{max_per_host = 0} end)
    refuses("argument #1 to 'http.client'", function() http.client{url = URL} end)
    refuses("argument #1 to 'http.client'", function() http.client{headers = {A = "\n"}} end)
  end)
end)

describe("a client", function()
  it("is what its methods want", function()
    refuses("a rille.http_client expected", function() http.client().get({}, URL) end)
    refuses("a rille.http_client expected", function() http.client().close(nil) end)
  end)

  it("says what it is", function()
    local client = http.client()
    assert.equal("rille.http_client: 0 running", tostring(client))
    client:close()
    assert.equal("rille.http_client: closed", tostring(client))
  end)

  it("is wanted inside a task only", function()
    helper.raises(function() http.get(URL) end, "rille.http.get can be called only inside a task")
  end)
end)

describe("rille.http", function()
  it("is what require gives, and has no other names", function()
    assert.equal(rille.http, http)
    assert.is_nil(http.no_such_name)
  end)

  it("does without luv", function()
    assert.equal("connect\n", (sys.script [[
      package.cpath = ""
      print(select(2, require "rille".http.get "http://127.0.0.1:1/").kind)]]))
  end)

  it("has a proxy for all that is asked", function()
    collectgarbage() -- the clients of what was refused, before descriptors are counted
    h.run(function(client)
      local proxy = h.serve(function(request) return h.response(request.path) end)
      assert.equal("http://example.invalid/a",
        client:get("http://example.invalid/a", {proxy = proxy}).body)
    end)
  end)
end)
