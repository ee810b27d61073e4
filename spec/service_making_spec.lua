local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises

-- A factory of `value`.
local function gives(value)
  return function() return value end
end

describe("a service that is being made", function()
  it("cannot be used by its own factory", function()
    run(function()
      local root = rille.root()
      raises(function()
        root:provide("a", function() return root:use "a" end)
      end, "'a' needs itself while it is made: a %-> a%)")
      assert.is_false(root:has "a")
    end)
  end)

  it("cannot be used by a factory that its own one runs: the cycle is told", function()
    run(function()
      local root = rille.root()
      raises(function()
        root:provide("a", function()
          root:provide("b", function()
            root:provide("c", function() return root:use "a" end)
            return 1
          end)
          return 1
        end)
      end, "a %-> b %-> c %-> a%)")
      for _, name in ipairs { "a", "b", "c" } do assert.is_false(root:has(name)) end
    end)
  end)

  it("cannot be used from a scope inside the factory either", function()
    run(function()
      local root = rille.root()
      raises(function()
        root:provide("a", function()
          return rille.scope(function(s) return s:use "a" end)
        end)
      end, "a %-> a%)")
    end)
  end)

  it("may use the one that it shadows, of the parent", function()
    run(function()
      rille.root():provide("log", gives("plain"))
      rille.scope(function(s)
        s:provide("log", function() return s:parent():use "log" .. ", dressed" end)
        assert.equal("plain, dressed", s:use "log")
      end)
    end)
  end)

  it("may use and provide others", function()
    run(function()
      local root = rille.root():provide("config", gives { url = "x" })
      root:provide("db", function(s)
        s:provide("pool", function() return s:use "config".url .. "!" end)
        return s:use "pool"
      end)
      assert.equal("x!", root:use "db")
    end)
  end)

  it("is not there yet for other tasks, which are told who makes it", function()
    run(function()
      local root = rille.root()
      root:go({ name = "maker" }, function()
        root:provide("db", function() rille.sleep(2) return 1 end)
      end)
      rille.sleep(1)
      assert.is_false(root:has "db")
      raises(function() root:use "db" end, "'db' is still being made, by maker%)")
      raises(function() root:provide("db", gives(2)) end, "'db' is being made in root")
      rille.sleep(2)
      assert.equal(1, root:use "db")
    end)
  end)

  it("hides the one that it shadows", function()
    run(function()
      rille.root():provide("db", gives("old"))
      rille.scope(function(s)
        s:go(function() s:provide("db", function() rille.sleep(2) return "new" end) end)
        rille.sleep(1)
        assert.is_false(s:has "db")
        raises(function() s:use "db" end, "still being made")
      end)
    end)
  end)

  it("does not confuse two tasks that make services of each other", function()
    run(function()
      local root, errors = rille.root(), {}
      for _, pair in ipairs { { "a", "b" }, { "b", "a" } } do
        root:go({ name = "maker of " .. pair[1] }, function()
          errors[pair[1]] = raises(function()
            root:provide(pair[1], function() rille.sleep(1) return root:use(pair[2]) end)
          end)
        end)
      end
      rille.sleep(2)
      assert.truthy(errors.a:find("by maker of b", 1, true))
      assert.truthy(errors.b:find("no service 'a'", 1, true))
    end)
  end)

  it("is not in the way of a later one in the same task after a cycle", function()
    run(function()
      local root = rille.root()
      pcall(root.provide, root, "a", function() return root:use "a" end)
      root:provide("b", function()
        raises(function() root:use "b" end, "'b' needs itself while it is made: b %-> b%)")
        return 1
      end)
    end)
  end)
end)
