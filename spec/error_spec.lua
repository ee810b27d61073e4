local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

local hostile = setmetatable({}, {
  __tostring = function() error("no text for you") end,
  __name = 42,
})
local recursive = setmetatable({}, { __tostring = function(self) return tostring(self) end })

local values = {
  { "nil", nil },
  { "false", false },
  { "NaN", 0 / 0 },
  { "a number", 42 },
  { "a string", "text" },
  { "a string of 1 MB", ("x"):rep(1024 * 1024) },
  { "a table", {} },
  { "a table with a raising __tostring", hostile },
  { "a table with an endless __tostring", recursive },
  { "a coroutine", coroutine.create(print) },
  { "a function", print },
  { "a userdata", io.stdout },
}

local function same(expected, actual)
  if expected ~= expected then
    return actual ~= actual
  end
  return rawequal(expected, actual)
end

describe("error value", function()
  for _, entry in ipairs(values) do
    local name, value = entry[1], entry[2]

    describe(name, function()
      it("leaves rille.run unchanged", function()
        local ok, err = pcall(run, function() error(value, 0) end)
        assert.is_false(ok)
        assert.is_true(same(value, err))
      end)

      it("leaves a scope unchanged when the body raises it", function()
        run(function()
          local ok, err = pcall(rille.scope, function() error(value, 0) end)
          assert.is_false(ok)
          assert.is_true(same(value, err))
        end)
      end)

      it("leaves a scope unchanged when a task raises it", function()
        run(function()
          local ok, err = pcall(rille.scope, function(s)
            s:go(error, value, 0)
            rille.sleep(1)
          end)
          assert.is_false(ok)
          assert.is_true(same(value, err))
        end)
      end)

      it("leaves rille.run unchanged when a task raises it", function()
        local ok, err = pcall(run, function() rille.root():go(error, value, 0) end)
        assert.is_false(ok)
        assert.is_true(same(value, err))
      end)

      it("reaches the awaiter unchanged", function()
        run(function()
          local task = rille.root():task(function() error(value, 0) end)
          local got = table.pack(task:await())
          assert.equal(2, got.n)
          assert.is_nil(got[1])
          assert.is_true(same(value, got[2]))
        end)
      end)

      it("leaves a scope unchanged when nobody awaited the task", function()
        run(function()
          local ok, err = pcall(rille.scope, function(s)
            s:task(function() error(value, 0) end)
          end)
          assert.is_false(ok)
          assert.is_true(same(value, err))
        end)
      end)

      it("passes a handler that suspends", function()
        run(function()
          local ok, err = pcall(rille.scope, function()
            local _ <close> = helper.closing(function() rille.sleep(1) end)
            error(value, 0)
          end)
          assert.is_false(ok)
          assert.is_true(same(value, err))
        end)
      end)

      it("passes rille.timeout and rille.shield", function()
        run(function()
          local ok, err = pcall(rille.timeout, 1, rille.shield, error, value, 0)
          assert.is_false(ok)
          assert.is_true(same(value, err))
        end)
      end)

      it("passes through a task that awaits and raises it again", function()
        run(function()
          local ok, err = pcall(rille.scope, function(s)
            local inner = s:task(function() error(value, 0) end)
            s:go(function() error((select(2, inner:await())), 0) end)
          end)
          assert.is_false(ok)
          assert.is_true(same(value, err))
        end)
      end)
    end)
  end

  it("that is an engine error passes unchanged", function()
    run(function()
      local ch = rille.channel()
      ch:close()
      local _, closed = ch:recv()
      assert.equal(closed, raises(function() rille.scope(function() error(closed) end) end))
    end)
  end)
end)

describe("several failures", function()
  it("raise the first, unchanged", function()
    run(function()
      local first = {}
      assert.equal(first, raises(function()
        rille.scope(function(s)
          s:go(error, first)
          s:go(error, {})
        end)
      end))
    end)
  end)

  it("are in errors() with the first in front", function()
    run(function()
      local scope
      pcall(rille.scope, function(s)
        scope = s
        for i = 1, 3 do
          s:go(function() pcall(rille.sleep, i) error("e" .. i, 0) end)
        end
        rille.sleep(9)
      end)
      assert.same({ "e1", "e2", "e3" }, helper.list(scope:errors()))
    end)
  end)

  it("are in the errors of an engine error that comes first", function()
    run(function()
      local ch = rille.channel(1)
      ch:close()
      local err = helper.raises_kind("closed", function()
        rille.scope(function(s)
          s:go(function() pcall(rille.sleep, 9) error("second", 0) end)
          rille.yield()
          s:go(ch.send, ch, 1)
        end)
      end)
      assert.truthy(table.concat(err.errors, " "):find("second"))
    end)
  end)

  it("include a failure made while a cancelled task cleans up", function()
    run(function()
      local scope
      pcall(rille.scope, function(s)
        scope = s
        s:go(function()
          local _ <close> = helper.closing(function() error("of the cleanup", 0) end)
          rille.sleep(9)
        end)
        rille.yield()
        error("of the body", 0)
      end)
      assert.same({ "of the body", "of the cleanup" }, helper.list(scope:errors()))
    end)
  end)

  it("include the main block's and a task's", function()
    run(function()
      local scope
      pcall(rille.scope, function(s)
        scope = s
        s:go(error, "of the task")
        s:go(function() rille.yield() end)
        local ok = pcall(rille.sleep, 1)
        if not ok then error("of the body", 0) end
      end)
      assert.same({ "of the task", "of the body" }, helper.list(scope:errors()))
    end)
  end)

  for _, row in ipairs { { { false }, nil }, { { "e1" }, "e1" }, { { false, "e1" }, "e1" },
    { { "e1", false, "e2" }, "e1" } } do
    it("raise the first of " .. #row[1] .. ", " .. tostring(row[2]), function()
      run(function()
        local ok, err = pcall(rille.scope, function(s)
          for _, problem in ipairs(row[1]) do
            s:go(function() if problem then error(problem, 0) end end)
          end
        end)
        assert.equal(row[2] == nil, ok)
        assert.equal(row[2], err)
      end)
    end)
  end
end)

describe("engine error", function()
  local function closed()
    return run(function()
      local ch = rille.channel()
      ch:close()
      return select(2, ch:recv())
    end)
  end

  it("has a kind", function()
    assert.equal("closed", closed().kind)
  end)

  it("has a message", function()
    assert.equal("string", type(closed().message))
  end)

  it("is one readable line as text", function()
    local text = tostring(closed())
    assert.truthy(text:find("closed"))
    assert.is_nil(text:find("\n"))
  end)

  it("has no other field by default", function()
    assert.is_nil(closed().retry_after)
  end)
end)

describe("is_error", function()
  local function timeout()
    return run(function() return select(2, rille.timeout(1, rille.sleep, 2)) end)
  end

  it("is true for an engine error", function()
    assert.is_true(rille.is_error(timeout()))
  end)

  it("is true for an engine error of the kind", function()
    assert.is_true(rille.is_error(timeout(), "timeout"))
  end)

  it("is false for an engine error of another kind", function()
    assert.is_false(rille.is_error(timeout(), "cancelled"))
  end)

  it("is false for a table that looks like one", function()
    assert.is_false(rille.is_error({ kind = "timeout", message = "" }, "timeout"))
  end)

  for _, entry in ipairs(values) do
    it("is false for " .. entry[1], function()
      assert.is_false(rille.is_error(entry[2]))
    end)
  end
end)
