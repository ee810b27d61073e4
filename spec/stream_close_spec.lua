-- Closing a stream: by hand, and with its scope.
-- luacheck: ignore 512 (loops that are left at once)
local rille = require "rille"
local helper = require "spec.helper"
local sources = require "spec.stream_sources"
local run, raises = helper.run, helper.raises
local noted = sources.noted

describe("a stream", function()
  describe("close", function()
    it("closes the source of a stream that was not read", function()
      run(function()
        local log = helper.log()
        rille.stream(noted(log, { 1 })):map(print):close()
        assert.equal("close", helper.text(log))
      end)
    end)

    it("ends the loop that reads it", function()
      run(function()
        local list, st = {}, rille.stream { 1, 2, 3 }
        for value in st do
          list[#list + 1] = value
          st:close()
        end
        assert.same({ 1 }, list)
      end)
    end)

    it("happens once", function()
      run(function()
        local log = helper.log()
        local st = rille.stream(noted(log, { 1 }))
        for _ in st:iter() do st:close() end
        st:close()
        assert.equal("1 close", helper.text(log))
      end)
    end)

    it("of a stream that is read to the end has happened", function()
      run(function()
        local log = helper.log()
        local st = rille.stream(noted(log, {}))
        st:collect()
        st:close()
        assert.equal("end close", helper.text(log))
      end)
    end)

    it("makes reading raise closed", function()
      run(function()
        local st = rille.stream { 1 }
        st:close()
        helper.raises_kind("closed", function() st:collect() end)
      end)
    end)

    it("of a stream that an operator has is left to the operator", function()
      run(function()
        local log = helper.log()
        local st = rille.stream(noted(log, {}))
        local mapped = st:map(print)
        st:close()
        log "not yet"
        mapped:close()
        assert.equal("not yet close", helper.text(log))
      end)
    end)

    it("while a value is being read raises", function()
      run(function()
        local st = rille.stream(rille.channel())
        local task = rille.root():task(function() for _ in st do break end end)
        rille.yield()
        raises(function() st:close() end, "cannot be closed while a value is being read")
        task:cancel()
      end)
    end)

    it("closes operators before their source", function()
      run(function()
        local log = helper.log()
        local st = rille.stream(noted(log, { 1 })):concat(noted(log, { 2 })):zip({
          recv = function() return 1 end, close = function() log "zipped" end,
        })
        st:close()
        assert.equal("zipped close close", helper.text(log))
      end)
    end)

    it("runs at the end of a block", function()
      run(function()
        local log = helper.log()
        do
          local st <close> = rille.stream(noted(log, { 1 }))
          for _ in st do break end
        end
        log "after"
        assert.equal("1 close after", helper.text(log))
      end)
    end)

    it("does not close a channel that was passed in", function()
      run(function()
        local ch = rille.channel(1)
        rille.stream(ch):close()
        assert.is_false(ch:is_closed())
      end)
    end)

    it("raises what the source's close raises", function()
      run(function()
        local st = rille.stream { recv = function() end, close = function() error "stuck" end }
        raises(function() st:close() end, "stuck$")
      end)
    end)
  end)

  describe("of a scope", function()
    it("is closed with it though nobody read it", function()
      run(function()
        local log = helper.log()
        rille.scope(function(s) s:stream(noted(log, { 1 })):map(print) end)
        assert.equal("close", helper.text(log))
      end)
    end)

    it("is closed with it when it is left elsewhere", function()
      run(function()
        local log = helper.log()
        rille.scope(function(s)
          local st = s:stream(noted(log, { 1, 2 })):map(function(v) return v end)
          rille.scope(function() for _ in st do break end end)
          log "inner ended"
        end)
        assert.equal("1 inner ended close", helper.text(log))
      end)
    end)

    it("raises closed to who reads on after its end", function()
      run(function()
        local next_value
        rille.scope(function(s)
          next_value = s:stream { 1, 2 }:iter()
          assert.equal(1, next_value())
        end)
        helper.raises_kind("closed", next_value)
      end)
    end)

    it("that is opened again leaves the others to be closed", function()
      run(function()
        local log, fails = helper.log(), true
        rille.scope(function(s)
          local st = s:stream { 1 }:map(function(v)
            if not fails then return v end
            fails = false
            error "failed"
          end):retry { delay = function()
            s:stream(noted(log, {}))
            return 0
          end }
          assert.same({ 1 }, st:collect())
        end)
        assert.equal("close", helper.text(log))
      end)
    end)

    it("that is made while the scope closes others is closed too", function()
      run(function()
        local log = helper.log()
        rille.scope(function(s)
          s:stream { recv = print, close = function() s:stream(noted(log, {})) end }
        end)
        assert.equal("close", helper.text(log))
      end)
    end)

    it("fails in a reader elsewhere when the scope has ended", function()
      run(function()
        local ready = rille.channel()
        local task = rille.root():task(function()
          local st = ready:recv()
          return st:each(function() rille.sleep(10) end)
        end)
        rille.scope(function(s)
          ready:send(s:stream { 1, 2, 3 })
          rille.sleep(5)
        end)
        helper.refused("closed", task:await())
        assert.equal(10, rille.now())
      end)
    end)

    it("that is read elsewhere at its end is closed by the reader", function()
      run(function()
        local log, ch = helper.log(), rille.channel()
        local st
        rille.scope(function(s)
          st = rille.stream(ch):zip(s:stream(noted(log, { "a" })))
          rille.root():go(function()
            local _, err = pcall(function() for _ in st do log "value" end end)
            log(err.kind)
          end)
          helper.settle()
        end)
        log "ended"
        ch:send(1)
        helper.settle()
        assert.equal("ended a close closed", helper.text(log))
      end)
    end)

    it("cannot be made when that has ended", function()
      run(function()
        local ended
        rille.scope(function(s) ended = s end)
        helper.raises_kind("closed", function() ended:stream { 1 } end)
      end)
    end)

    it("is no more the scope's once it was read", function()
      run(function()
        local log = helper.log()
        rille.scope(function(s)
          s:stream(noted(log, {})):collect()
          log "collected"
        end)
        assert.equal("end close collected", helper.text(log))
      end)
    end)
  end)
end)
