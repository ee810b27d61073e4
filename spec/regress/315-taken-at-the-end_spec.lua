-- What ran while a task ended, a finalizer or the tracer, could take a lock, which
-- was then held by a task that was gone: who tried to release it read memory that
-- had been freed.
local rille = require "rille"
local helper = require "spec.helper"

-- Runs a task whose end calls fn().
local function at_the_end(fn)
  local span = setmetatable({}, { __index = function() return function() end end })
  function span.finish()
    if rille.current():name() == "ending" then fn() end
  end
  rille.scope({ tracer = { start_span = function() return span end } }, function(s)
    s:go({ name = "ending" }, rille.yield)
  end)
end

describe("what is taken while a task ends", function()
  it("is given back: a mutex", function()
    helper.run(function()
      local m = rille.mutex()
      at_the_end(function() assert(m:try_acquire()) end)
      collectgarbage()
      assert.is_false(m:locked())
      helper.raises(function() m:release() end, "not held by anybody")
    end)
  end)

  it("is given back: the right to write", function()
    helper.run(function()
      local l = rille.rwlock()
      at_the_end(function() assert(l:try_acquire_write()) end)
      collectgarbage()
      assert.is_true(l:try_acquire_read())
      l:release_read()
    end)
  end)
end)
