-- http_server_refused_spec.lua - what is no request, or one that could be taken
-- for two: it gets its status, and the connection ends.
local h = require "spec.http_helper"

local head, exchange = h.head, h.exchange

-- What a handler must never see.
local function never() error("the handler was called", 0) end

-- {what, bytes, status}
local cases = {
  {"bytes that are no HTTP", "\22\3\1\2\0\1\0\1\252\3\3", 400},
  {"a method that nobody knows", head("BREW /pot HTTP/1.1", "Host: x"), 501},
  {"a method with a control character", "GE\1T / HTTP/1.1\r\n", 400},
  {"CONNECT", head("CONNECT x:80 HTTP/1.1", "Host: x"), 501},
  {"a request line without a version", head("GET /", "Host: x"), 505},
  {"a word that is no version", head("GET / HTPT/1.1", "Host: x"), 400},
  {"a version of two digits", head("GET / HTTP/1.10", "Host: x"), 400},
  {"a word after the version", head("GET / HTTP/1.1 x", "Host: x"), 400},
  {"two blanks in a target", head("GET /a b HTTP/1.1", "Host: x"), 400},
  {"HTTP/2", head("GET / HTTP/2.0", "Host: x"), 505},
  {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501},
  {"no Host", head("GET / HTTP/1.1", "A: b"), 400},
  {"two Hosts", head("GET / HTTP/1.1", "Host: x", "Host: x"), 400},
  {"a control character in the target", head("GET /\1 HTTP/1.1", "Host: x"), 400},
  {"a tabulator in the target", head("GET /\t HTTP/1.1", "Host: x"), 400},
  {"a header without a colon", head("GET / HTTP/1.1", "Host: x", "nonsense"), 400},
  {"a header without a name", head("GET / HTTP/1.1", "Host: x", ": b"), 400},
  {"a blank before the colon", head("GET / HTTP/1.1", "Host: x", "A : b"), 400},
  {"a blank in a name", head("GET / HTTP/1.1", "Host: x", "A b: c"), 400},
  {"a zero byte in a value", head("GET / HTTP/1.1", "Host: x", "A: b\0c"), 400},
  {"a control character in a value", head("GET / HTTP/1.1", "Host: x", "A: b\1c"), 400},
  {"a DEL in a value", head("GET / HTTP/1.1", "Host: x", "A: b\127c"), 400},
  {"a line that continues another", head("GET / HTTP/1.1", "Host: x", "A: b", " c: d"), 400},
  {"an empty value that is continued", head("GET / HTTP/1.1", "Host: x", "A:", "\tb"), 400},
  {"a line that ends with LF alone", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400},
  {"a head that ends with LF alone", "GET / HTTP/1.1\r\nHost: x\r\n\n", 400},
  {"a CR within a line", head("GET / HTTP/1.1", "Host: x", "A: b\rc"), 400},
  {"a CR and no LF at the end of the head", "GET / HTTP/1.1\r\nHost: x\r\n\rX", 400},
  {"a CR and no LF after a name", "GET / HTTP/1.1\r\nHost: x\r\nA:\rX: y\r\n\r\n", 400},
  {"both Content-Length and Transfer-Encoding",
    head("POST / HTTP/1.1", "Host: x", "Content-Length: 5", "Transfer-Encoding: chunked"), 400},
  {"both, the other way about",
    head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", "Content-Length: 5"), 400},
  {"two lengths that differ",
    head("POST / HTTP/1.1", "Host: x", "Content-Length: 5", "Content-Length: 6"), 400},
  {"two lengths that are the same",
    head("POST / HTTP/1.1", "Host: x", "Content-Length: 5", "Content-Length: 5"), 400},
  {"a list of lengths", head("POST / HTTP/1.1", "Host: x", "Content-Length: 5, 5"), 400},
  {"a length with a sign", head("POST / HTTP/1.1", "Host: x", "Content-Length: +5"), 400},
  {"a negative length", head("POST / HTTP/1.1", "Host: x", "Content-Length: -5"), 400},
  {"a hexadecimal length", head("POST / HTTP/1.1", "Host: x", "Content-Length: 0x5"), 400},
  {"an empty length", head("POST / HTTP/1.1", "Host: x", "Content-Length:"), 400},
  {"a length of two numbers", head("POST / HTTP/1.1", "Host: x", "Content-Length: 5 6"), 400},
  {"a length of more than 64 bits",
    head("POST / HTTP/1.1", "Host: x", "Content-Length: 99999999999999999999"), 400},
  {"a length of more than 63 bits",
    head("POST / HTTP/1.1", "Host: x", "Content-Length: 10000000000000000000"), 413},
  {"a blank before the colon of a length",
    head("POST / HTTP/1.1", "Host: x", "Content-Length : 5"), 400},
  {"a coding that is unknown",
    head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: gzip, chunked"), 501},
  {"a coding that is not chunked in the end",
    head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked, gzip"), 400},
  {"a coding that begins like chunked",
    head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunkedx"), 400},
  {"identity", head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: identity"), 400},
  {"an empty coding", head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding:"), 400},
  {"chunked in quotes", head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: \"chunked\""), 400},
  {"chunked twice", head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked",
    "Transfer-Encoding: chunked"), 400},
  {"identity and chunked", head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: identity",
    "Transfer-Encoding: chunked"), 400},
  {"a coding in HTTP/1.0",
    head("POST / HTTP/1.0", "Host: x", "Transfer-Encoding: chunked"), 400},
  {"an expectation that is unknown", head("GET / HTTP/1.1", "Host: x", "Expect: tea"), 417},
}

-- Bodies of a chunked request.
local bodies = {
  {"a chunk whose size is no number", "x\r\n"},
  {"a chunk with a negative size", "-1\r\n"},
  {"a chunk with a size in C's style", "0x3\r\nabc\r\n0\r\n\r\n"},
  {"a chunk with a blank before its size", " 3\r\nabc\r\n0\r\n\r\n"},
  {"a chunk whose size has more than 64 bits", "fffffffffffffffff\r\n"},
  {"a chunk longer than it says", "3\r\nabcd\r\n0\r\n\r\n"},
  {"two bytes that are not CR LF after a chunk", "3\r\nabcXX0\r\n\r\n"},
  {"LF alone after a chunk", "3\r\nabc\n0\r\n\r\n"},
  {"LF LF after a chunk", "3\r\nabc\n\n0\r\n\r\n"},
  {"CR CR after a chunk", "3\r\nabc\r\r0\r\n\r\n"},
  {"a size that ends with LF alone", "3\nabc\r\n0\r\n\r\n"},
  {"a CR and no LF after a size", "3\rXabc\r\n0\r\n\r\n"},
  {"LF in the extension of a chunk", "3;a\n=b\r\nabc\r\n0\r\n\r\n"},
  {"a CR and no LF at the end", "3\r\nabc\r\n0\r\n\rX"},
  {"a trailer that is continued", "0\r\nA: b\r\n c\r\n\r\n"},
  {"a trailer that ends with LF alone", "0\r\nA: b\n\r\n"},
  {"far more around the chunks than in them", ("1;" .. ("x"):rep(4000) .. "\r\na\r\n"):rep(9)},
  {"endless trailers", "0\r\n" .. ("A: " .. ("b"):rep(100) .. "\r\n"):rep(400)},
}

local chunked = head("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked")

describe("a server refuses", function()
  for _, case in ipairs(cases) do
    it(case[1] .. (" (%d)"):format(case[3]), function()
      local response = exchange(case[2] .. h.get, never)
      assert.equal(tostring(case[3]), h.status(response))
      assert.matches("\r\nConnection: close\r\n", response)
      assert.is_nil(response:find("HTTP/1.1 ", 10, true))
    end)
  end

  for _, case in ipairs(bodies) do
    it(case[1] .. " (400)", function()
      local response = exchange(chunked .. case[2] .. h.get, never)
      assert.equal("400", h.status(response))
      assert.is_nil(response:find("HTTP/1.1 ", 10, true))
    end)
    it(case[1] .. ", byte by byte", function()
      if #case[2] > 100 then return end
      local bytes = {chunked}
      for byte in case[2]:gmatch "." do bytes[#bytes + 1] = byte end
      for byte in ("X"):rep(8):gmatch "." do bytes[#bytes + 1] = byte end
      assert.equal("400", h.status(exchange(bytes, never)))
    end)
  end

  it("a head that is refused whole also when it comes byte by byte", function()
    for _, case in ipairs(cases) do
      local bytes = {}
      for byte in case[2]:gmatch "." do bytes[#bytes + 1] = byte end
      assert.equal(tostring(case[3]), h.status(exchange(bytes, never)), case[1])
    end
  end)
end)

describe("the limit", function()
  -- A request whose head has exactly `size` bytes.
  local function sized(size)
    local rest = head("GET / HTTP/1.1", "Host: x", "A: ")
    return (rest:gsub("A: ", "A: " .. ("a"):rep(size - #rest)))
  end

  it("of a head is max_header", function()
    assert.equal("200", h.status(exchange(sized(500), nil, {max_header = 500})))
    assert.equal("431", h.status(exchange(sized(501), never, {max_header = 500})))
  end)

  it("of headers is 256, Host included", function()
    local function with(n)
      return head("GET / HTTP/1.1", "Host: x", ("A:\r\n"):rep(n - 1) .. "B:")
    end
    assert.equal("200", h.status(exchange(with(255), nil)))
    assert.equal("431", h.status(exchange(with(256), never)))
  end)

  it("of a head holds before its end has come", function()
    local bytes = head("GET / HTTP/1.1", "Host: x", "A: " .. ("a"):rep(600)):sub(1, -3)
    assert.equal("431", h.status(exchange(bytes, never, {max_header = 500})))
  end)

  it("of a head holds for empty lines before it", function()
    assert.equal("431", h.status(exchange(("\r\n"):rep(300), never, {max_header = 500})))
  end)

  it("of a target is max_url", function()
    local function asking(size)
      return head("GET /" .. ("a"):rep(size - 1) .. " HTTP/1.1", "Host: x")
    end
    assert.equal("200", h.status(exchange(asking(100), nil, {max_url = 100})))
    assert.equal("414", h.status(exchange(asking(101), never, {max_url = 100})))
  end)

  it("of a target holds before its end has come", function()
    assert.equal("414", h.status(exchange("GET /" .. ("a"):rep(200), never, {max_url = 100})))
  end)

  it("of a head may be what http-parser takes, and no more", function()
    assert.equal("200", h.status(exchange(sized(65536), nil, {max_header = 65536})))
    assert.equal("431", h.status(exchange(sized(65537), never, {max_header = 65536})))
    assert.equal("431", h.status(exchange(sized(200000), never, {max_header = 65536})))
  end)
end)
