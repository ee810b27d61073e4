-- net_read_spec.lua - reading from a stream: pieces, exact counts, delimiters,
-- lines, limits.
local rille = require "rille"
local helper = require "spec.helper"
local net_helper = require "spec.net_helper"

local pair = net_helper.pair

-- Writes each piece so that it comes by itself.
local function write_slowly(stream, pieces)
  for _, piece in ipairs(pieces) do
    stream:write(piece)
    rille.sleep(0.001)
  end
end

describe("a byte stream", function()
  describe("read", function()
    it("returns what there is", function()
      pair(function(a, b)
        a:write("hello")
        assert.equal("hello", b:read())
      end)
    end)

    it("returns nil and closed at the end, again and again", function()
      pair(function(a, b)
        a:close()
        helper.refused("closed", b:read())
        helper.refused("closed", b:read())
      end)
    end)

    it("returns exactly n bytes, over several pieces", function()
      pair(function(a, b, s)
        s:go(write_slowly, a, {"ab", "cd", "efg"})
        assert.same({"abc", "de"}, {b:read(3), b:read(2)})
        assert.equal("fg", b:read(2))
      end)
    end)

    it("returns less than n bytes only at the end", function()
      pair(function(a, b)
        a:write("abc")
        a:shutdown()
        assert.equal("abc", b:read(5))
        helper.refused("closed", b:read(5))
      end)
    end)

    it("returns what a read of n bytes has left", function()
      pair(function(a, b)
        a:write("abcdef")
        assert.same({"ab", "cdef"}, {b:read(2), b:read()})
      end)
    end)

    it("of no bytes returns an empty string", function()
      pair(function(a, b)
        a:write("x")
        assert.same({"", "x"}, {b:read(0), b:read(1)})
      end)
    end)

    it("keeps what came when it is cancelled half way", function()
      pair(function(a, b)
        a:write("abc")
        helper.refused("timeout", rille.timeout(0.01, b.read, b, 5))
        a:write("def")
        assert.same({"abcde", "f"}, {b:read(5), b:read()})
      end)
    end)

    it("raises cancelled before it takes anything", function()
      pair(function(a, b)
        a:write("abc")
        assert.equal("ab", b:read(2))
        helper.refused("timeout", rille.timeout(0, b.read, b, 1))
        assert.equal("c", b:read(1))
      end)
    end)

    it("refuses a second task", function()
      pair(function(_, b, s)
        local first = s:task(function() return b:read() end)
        rille.yield()
        for _, read in ipairs {b.read, b.read_line, b.read_all} do
          helper.raises(function() read(b) end, "another task reads from this stream")
        end
        first:cancel()
      end)
    end)

    it("lets another task read once the first is cancelled", function()
      pair(function(a, b, s)
        local first = s:task(function() return b:read() end)
        rille.yield()
        first:cancel()
        first:await()
        a:write("x")
        assert.equal("x", b:read())
      end)
    end)

    it("checks its arguments", function()
      pair(function(_, b)
        helper.raises(function() b:read(-1) end, "bad argument #1 to 'read'")
        helper.raises(function() b:read("a") end, "bad argument #1 to 'read'")
        helper.raises(function() b.read({}) end, "rille.byte_stream expected, got table")
      end)
    end)
  end)

  describe("read_all", function()
    it("returns everything up to the end", function()
      pair(function(a, b, s)
        s:go(function()
          write_slowly(a, {"ab", "cd"})
          a:close()
        end)
        assert.equal("a", b:read(1))
        assert.equal("bcd", b:read_all())
        assert.equal("", b:read_all())
      end)
    end)

    it("stops at its limit and keeps what came", function()
      pair(function(a, b)
        a:write("abcd")
        helper.refused("too_large", b:read_all(3))
        assert.equal("abcd", b:read())
      end)
    end)
  end)

  describe("read_until", function()
    it("returns what is before the delimiter, and takes it", function()
      pair(function(a, b)
        a:write("head\r\n\r\nbody")
        assert.same({"head", "body"}, {b:read_until("\r\n\r\n"), b:read()})
      end)
    end)

    it("finds a delimiter that comes in pieces", function()
      pair(function(a, b, s)
        s:go(write_slowly, a, {"he", "ad\r", "\n", "\r", "\nbo", "dy"})
        assert.equal("head", b:read_until("\r\n\r\n"))
        assert.equal("body", b:read(4))
      end)
    end)

    it("returns an empty string between two delimiters", function()
      pair(function(a, b)
        a:write(",,x,")
        assert.same({"", "", "x"}, {b:read_until(","), b:read_until(","), b:read_until(",")})
      end)
    end)

    it("returns too_large beyond the limit and keeps what came", function()
      pair(function(a, b)
        a:write("abcdef,")
        local err = helper.refused("too_large", b:read_until(",", 5))
        assert.equal(5, err.limit)
        assert.equal("abcdef", b:read_until(",", 6))
      end)
    end)

    it("counts the limit over several pieces", function()
      pair(function(a, b, s)
        s:go(write_slowly, a, {"abc", "def", "ghi"})
        helper.refused("too_large", b:read_until(";;", 5))
        assert.equal("abcdef", b:read(6))
      end)
    end)

    it("keeps what came when the stream ends before the delimiter", function()
      pair(function(a, b)
        a:write("abc")
        a:close()
        helper.refused("closed", b:read_until(","))
        assert.equal("abc", b:read())
      end)
    end)

    it("splits as the model does, however the pieces fall", function()
      local random = helper.random(7)
      for _ = 1, 20 do
        local text = {}
        for i = 1, random(40) do text[i] = ("ab;"):sub(random(3)):sub(1, 1) end
        text = table.concat(text) .. ";;"
        pair(function(a, b, s)
          s:go(function()
            local left = text
            while left ~= "" do
              local n = random(3)
              a:write(left:sub(1, n))
              left = left:sub(n + 1)
              rille.yield()
            end
            a:close()
          end)
          local parts, rest = {}, text
          while rest:find(";;", 1, true) do
            local from, to = rest:find(";;", 1, true)
            parts[#parts + 1], rest = rest:sub(1, from - 1), rest:sub(to + 1)
          end
          for _, part in ipairs(parts) do assert.equal(part, b:read_until(";;")) end
          helper.refused("closed", b:read_until(";;"))
        end)
      end
    end)

    it("checks its arguments", function()
      pair(function(_, b)
        helper.raises(function() b:read_until("") end, "the delimiter is empty")
        helper.raises(function() b:read_until(",", 0) end, "bad argument #2 to 'read_until'")
      end)
    end)
  end)
end)
