-- A failure in a stream that is caught.
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run = helper.run
local second_fails, failing = sources.second_fails, sources.failing

local stream = rille.stream

local function read(st)
  local list = {}
  local ok, err = pcall(function()
    for value in st do list[#list + 1] = value end
  end)
  return list, not ok and err or nil
end

describe("a failure", function()
  describe("caught", function()
    it("is replaced by the values of another source", function()
      run(function()
        local log = helper.log()
        assert.same({ 1, "failed", 2 }, stream(failing(log, 1)):catch(function(err)
          log "catch"
          return { err, 2 }
        end):collect())
        assert.equal("closed catch", helper.text(log))
      end)
    end)

    it("ends the stream when nothing is returned", function()
      run(function()
        assert.same({ 1 }, stream(failing(helper.log(), 1)):catch(function() end):collect())
      end)
    end)

    it("is what the function raises or returns instead", function()
      run(function()
        local function caught(fn) return { stream(failing(helper.log())):catch(fn):collect() } end
        assert.same({ nil, "other" }, caught(function() error("other", 0) end))
        assert.same({ nil, "other" }, caught(function() return nil, "other" end))
      end)
    end)

    it("is not one of what is downstream", function()
      run(function()
        local st = stream { 1, 2 }:catch(function() return { "caught" } end):map(second_fails)
        assert.same({ nil, "failed" }, { st:collect() })
      end)
    end)

    it("is not one of the replacement", function()
      run(function()
        local log = helper.log()
        local st = stream(failing(log)):catch(function() return failing(log, 2) end)
        assert.same({ { 2 }, "failed" }, { read(st) })
        assert.equal("closed closed", helper.text(log))
      end)
    end)

    it("is never a cancellation", function()
      run(function()
        local caught = false
        local _, err = rille.scope(function(s)
          local st = stream(function() s:cancel("enough") rille.sleep(1) end)
          st:catch(function() caught = true return { 1 } end):collect()
        end)
        assert.equal("enough", err.reason)
        assert.is_false(caught)
      end)
    end)

    it("stops the tasks of what failed first", function()
      run(function()
        local active
        stream { 1, 2 }:map_parallel(2, second_fails):catch(function()
          active = rille.root():active()
        end):collect()
        assert.equal(0, active)
      end)
    end)
  end)
end)
