-- What the other specs do not come by: rare ways through the calls, found by
-- scripts/coverage.
local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

local binary = os.getenv "RILLE_BINARY"

-- What the binary says, with these arguments.
local function says(arguments)
  local pipe <close> = assert(io.popen(binary .. " " .. arguments .. " 2>&1 </dev/null"))
  return pipe:read "a"
end

describe("a channel", function()
  it("refuses a list that has lost a value while it is being sent", function()
    run(function()
      local ch, list = rille.channel(), { 1, 2, 3 }
      local task = rille.root():task(function() ch:send_many(list) end)
      rille.yield()
      list[3] = nil
      ch:recv()
      ch:recv()
      local _, err = task:await()
      assert.is_truthy(tostring(err):find "changed while it was being sent")
    end)
  end)

  it("refuses a list with a hole", function()
    run(function()
      raises(function() rille.channel(3):send_many { 1, nil, 3 } end, "has a nil in it")
    end)
  end)

  it("raises the error of its close in a loop that waits", function()
    run(function()
      local ch, problem = rille.channel(), { "gone" }
      local task = rille.root():task(function() for _ in ch do error "a value" end end)
      rille.yield()
      ch:close(problem)
      assert.equal(problem, select(2, task:await()))
    end)
  end)

  it("tells that it is unbounded", function()
    assert.is_truthy(tostring(rille.channel(math.huge)):find "0 of unbounded")
    raises(function() rille.broadcast { buffer = "4" } end, "buffer")
  end)
end)

describe("a task", function()
  it("that has ended is closed at once", function()
    run(function()
      local task = rille.root():task(function() return 1 end)
      do
        local _ <close> = task
        task:await()
      end
      assert.equal("done", task:status())
    end)
  end)

  it("that closes itself is cancelled and does not wait for itself", function()
    run(function()
      local task
      task = rille.root():task(function()
        do local _ <close> = task end
        rille.yield()
      end)
      helper.refused("cancelled", task:await())
    end)
  end)
end)

describe("a ticker", function()
  it("that is stopped ends the wait of a select", function()
    run(function()
      local ticker = rille.every(1)
      local task = rille.root():task(function()
        return table.pack(rille.select { { ticker } })
      end)
      rille.yield()
      ticker:stop()
      assert.same({ 1, nil, n = 2 }, task:await())
    end)
  end)
end)

describe("the binary", function()
  it("refuses an --explore that is no number above 0", function()
    assert.is_truthy(says("--explore x"):find "'--explore' needs a whole number")
    assert.is_truthy(says("--explore 0 x.lua"):find "'--explore' needs a number above 0")
  end)

  it("tells where a module is wrong", function()
    local path = os.tmpname()
    do
      local file <close> = assert(io.open(path, "w"))
      file:write "return ="
    end
    local text = says(("-e 'package.path = [[%s]] require [[x]]'"):format(path))
    os.remove(path)
    assert.is_truthy(text:find("error loading module 'x' from file", 1, true), text)
  end)

  it("refuses a package.path that is no string", function()
    local text = says "-e 'package.path = false require [[x]]'"
    assert.is_truthy(text:find("'package.path' must be a string", 1, true), text)
  end)
end)
