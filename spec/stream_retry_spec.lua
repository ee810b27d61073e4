-- retry: a stream that is opened again.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

local stream = rille.stream

describe("stream", function()
  describe("retry", function()
    -- A source that fails in its first `failures` openings, and a log of all.
    local function unreliable(failures, log)
      local opened = 0
      return { open = function()
        opened = opened + 1
        log("open", rille.now())
        local fails, i = opened <= failures, 0
        return {
          recv = function()
            i = i + 1
            if fails then return nil, "failed " .. opened end
            return i <= 2 and i or nil
          end,
          close = function() log "close" end,
        }
      end }
    end

    it("opens the source again when it fails", function()
      run(function()
        local log = helper.log()
        local st = stream(unreliable(2, log)):map(function(v) return v end)
        assert.same({ 1, 2 }, st:retry { delay = 1 }:collect())
        assert.equal("open:0 close open:1 close open:2 close", helper.text(log))
      end)
    end)

    it("fails with the last failure in the end", function()
      run(function()
        local log = helper.log()
        assert.same({ nil, "failed 3" }, { stream(unreliable(9, log)):retry(2):collect() })
        assert.equal(6, helper.count(log))
      end)
    end)

    it("tries three times more, after 0.1, 0.2 and 0.4 seconds", function()
      run(function()
        local log = helper.log()
        assert.same({ nil, "failed 4" }, { stream(unreliable(9, log)):retry():collect() })
        assert.equal("open:0 close open:0.1 close open:0.3 close open:0.7 close",
          helper.text(log))
      end)
    end)

    it("opens an operator again as well", function()
      run(function()
        local fails = true
        local st = stream { 1, 2, 3 }:skip(1):map(function(v)
          if v == 3 and fails then
            fails = false
            error "failed"
          end
          return v
        end)
        assert.same({ 2, 2, 3 }, st:retry { delay = 0 }:collect())
      end)
    end)

    it("counts all failures, not those in a row", function()
      run(function()
        local st = stream { 1, 2 }:map(function(v)
          if v == 2 then error("failed", 0) end
          return v
        end)
        local list = {}
        st = st:retry { max_retries = 2, delay = 0 }:tap(function(v) list[#list + 1] = v end)
        local _, err = st:collect()
        assert.same({ { 1, 1, 1 }, "failed" }, { list, err })
      end)
    end)

    it("asks its functions", function()
      run(function()
        local log = helper.log()
        local st = stream(unreliable(9, helper.log())):retry {
          delay = function(attempt, err) log("delay", attempt, err) return 1 end,
          retry_if = function(err, attempt) log("if", attempt, err) return attempt < 2 end,
        }
        assert.same({ nil, "failed 2" }, { st:collect() })
        assert.equal("if:1:failed 1 delay:1:failed 1 if:2:failed 2", helper.text(log))
      end)
    end)

    it("does not retry a cancellation", function()
      run(function()
        local log = helper.log()
        rille.timeout(5, function()
          stream { open = function() log "open" return rille.channel() end }:retry():collect()
        end)
        assert.equal("open", helper.text(log))
      end)
    end)

    it("is interrupted in its delay", function()
      run(function()
        rille.timeout(5, function()
          stream(unreliable(9, helper.log())):retry { delay = 100 }:collect()
        end)
        assert.equal(5, rille.now())
      end)
    end)

    it("needs what can be opened again", function()
      run(function()
        local pattern = "^%S*stream_retry_spec.lua:%d+: 'retry' needs a stream that can be opened"
        for _, source in ipairs { rille.channel(), print, { recv = print } } do
          local st = stream(source)
          raises(function() st:retry(3) end, pattern)
          raises(function() stream {}:merge(st):retry(3) end, pattern)
        end
      end)
    end)
  end)
end)
