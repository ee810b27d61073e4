-- A deadline set inside a <close> handler fired only when the grace was over
-- as well: its wait was taken for one that the handler shields.

local rille = require "rille"
local helper = require "spec.helper"
local run, closing, refused = helper.run, helper.closing, helper.refused

-- Notes when a timeout of one second ends that is called in a handler.
local function timing(log)
  return closing(function()
    refused("timeout", rille.timeout(1, rille.sleep, 60))
    log(rille.now())
  end)
end

describe("a timeout in a <close> handler", function()
  it("ends the wait when the block has ended", function()
    local log = helper.log()
    run(function()
      do
        local _ <close> = timing(log)
      end
    end)
    assert.equal("1", helper.text(log))
  end)

  it("ends the wait when the block has failed", function()
    local log = helper.log()
    run(function()
      pcall(function()
        local _ <close> = timing(log)
        error "x"
      end)
    end)
    assert.equal("1", helper.text(log))
  end)

  it("ends the wait when the task was cancelled", function()
    local log = helper.log()
    run(function()
      rille.timeout(3, function()
        local _ <close> = timing(log)
        rille.sleep(60)
      end)
    end)
    assert.equal("4", helper.text(log))
  end)

  it("ends the wait in a generator, too", function()
    local log = helper.log()
    run(function()
      do
        local _ <close> = closing(function()
          refused("timeout", rille.timeout(1, rille.coroutine.wrap(function() rille.sleep(60) end)))
          log(rille.now())
        end)
      end
    end)
    assert.equal("1", helper.text(log))
  end)

  it("of a scope that is a <close> variable ends the wait", function()
    local log = helper.log()
    run(function()
      do
        local _ <close> = closing(function()
          pcall(function()
            local _ <close> = rille.scope { timeout = 1 }
            rille.sleep(60)
          end)
          log(rille.now())
        end)
      end
    end)
    assert.equal("1", helper.text(log))
  end)
end)

describe("a <close> handler inside a scope that times out", function()
  it("may wait", function()
    local log = helper.log()
    run(function()
      do
        local _ <close> = closing(function()
          rille.timeout(1, function()
            local _ <close> = closing(function() rille.sleep(2) log(rille.now()) end)
            rille.sleep(60)
          end)
        end)
      end
    end)
    assert.equal("3", helper.text(log))
  end)

  it("may wait when the scope came from a function that has returned", function()
    local log = helper.log()
    local function open()
      local s = rille.scope { timeout = 1 }
      return s
    end
    run(function()
      pcall(function()
        local _ <close> = open()
        local _ <close> = closing(function() rille.sleep(2) log(rille.now()) end)
        rille.sleep(60)
      end)
    end)
    assert.equal("3", helper.text(log))
  end)
end)
