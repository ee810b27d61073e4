local rille = require "rille"
local helper = require "spec.helper"
local run, raises, refused = helper.run, helper.raises, helper.refused
local start = helper.start

-- A load that counts its runs and waits for `seconds`.
local function counting(seconds)
  local loads = { n = 0 }
  return function(key)
    loads.n = loads.n + 1
    local result = key .. loads.n
    if seconds then rille.sleep(seconds) end
    return result
  end, loads
end

describe("cache", function()
  it("says what it is as text", function()
    local c = rille.cache()
    c:set(1, 1)
    assert.equal("rille.cache: 1 entries", tostring(c))
  end)

  it("may be made, set and looked at outside a task", function()
    local c = rille.cache()
    c:set("k", "v")
    assert.equal("v", c:peek("k"))
  end)

  it("is collected, and its values with it", function()
    local c, weak = rille.cache(), setmetatable({}, { __mode = "v" })
    weak[1], weak[2] = c, {}
    c:set("k", weak[2])
    c = nil
    collectgarbage()
    collectgarbage()
    assert.same({ nil, nil }, { c, weak[1], weak[2] })
  end)
end)

describe("cache get", function()
  it("loads a value and keeps it", function()
    run(function()
      local c, load, loads = rille.cache(), counting()
      assert.equal("k1", c:get("k", load))
      assert.equal("k1", c:get("k", load))
      assert.equal(1, loads.n)
    end)
  end)

  it("gives load the key alone", function()
    run(function()
      local given
      rille.cache():get("k", function(...) given = table.pack(...) return 1 end)
      assert.same({ n = 1, "k" }, given)
    end)
  end)

  it("keeps several results, nils included", function()
    run(function()
      local c = rille.cache()
      local function load() return 1, nil, 3, nil end
      c:get("k", load)
      assert.same({ n = 4, 1, nil, 3 }, table.pack(c:get("k", error)))
    end)
  end)

  it("keeps false", function()
    run(function()
      local c = rille.cache()
      c:get("k", function() return false end)
      assert.is_false(c:get("k", error))
    end)
  end)

  it("does not keep nil", function()
    run(function()
      local c, loads = rille.cache(), 0
      local function load() loads = loads + 1 end
      assert.equal(0, select("#", c:get("k", load)))
      c:get("k", load)
      assert.equal(2, loads)
    end)
  end)

  it("keeps a key of false", function()
    run(function()
      local c = rille.cache()
      c:set(false, 1)
      assert.equal(1, c:get(false, error))
    end)
  end)

  it("loads once for those who come meanwhile", function()
    run(function()
      local c, load, loads = rille.cache(), counting(1)
      local first, second = start(c.get, c, "k", load), start(c.get, c, "k", load)
      assert.equal("k1", (first:await()))
      assert.equal("k1", (second:await()))
      assert.equal(1, loads.n)
    end)
  end)

  it("gives up a turn now and then, though it need not wait", function()
    run(function()
      local c, others = rille.cache(), 0
      c:set("k", 1)
      rille.root():go({ daemon = true }, function()
        while true do others = others + 1 rille.yield() end
      end)
      for _ = 1, 1000 do c:get("k", error) end
      assert.is_true(others >= 5)
    end)
  end)

  it("raises in a cancelled task, though it need not wait", function()
    run(function()
      local c = rille.cache()
      c:set("k", 1)
      rille.scope(function(s)
        s:cancel()
        local ok, err = pcall(c.get, c, "k", error)
        assert.is_false(ok)
        assert.is_true(rille.is_cancellation(err))
      end)
    end)
  end)

  for name, key in pairs { NaN = 0 / 0, ["nil"] = "nil" } do
    it("raises for a key of " .. name, function()
      run(function()
        if key == "nil" then key = nil end
        raises(function() rille.cache():get(key, print) end, "#1 to 'get'")
      end)
    end)
  end

  it("raises without a function", function()
    run(function() raises(function() rille.cache():get("k") end, "#2 to 'get'") end)
  end)

  it("raises deadlock when load gets its own key", function()
    run(function()
      local c = rille.cache()
      local function load(key) return c:get(key, load) end
      refused("deadlock", c:get("k", load))
    end)
  end)

  it("lets load get another key", function()
    run(function()
      local c = rille.cache()
      assert.equal(2, (c:get("a", function() return c:get("b", function() return 2 end) end)))
    end)
  end)
end)

describe("cache get that fails", function()
  it("returns nil and the error", function()
    run(function()
      assert.same({ nil, "why" }, { rille.cache():get("k", function() error("why", 0) end) })
    end)
  end)

  it("gives all who wait the same error", function()
    run(function()
      local c, err = rille.cache(), {}
      local function load() rille.sleep(1) error(err) end
      local first, second = start(c.get, c, "k", load), start(c.get, c, "k", load)
      assert.equal(err, (select(2, first:await())))
      assert.equal(err, (select(2, second:await())))
    end)
  end)

  it("keeps nothing", function()
    run(function()
      local c = rille.cache()
      c:get("k", function() return nil, "why" end)
      assert.equal("v", c:get("k", function() return "v" end))
    end)
  end)

  it("keeps nothing of a cancellation", function()
    run(function()
      local c, load, loads = rille.cache(), counting(1)
      local task = start(c.get, c, "k", load)
      task:cancel()
      refused("cancelled", task:await())
      assert.is_nil(c:peek("k"))
      assert.equal("k2", (c:get("k", load)))
      assert.equal(2, loads.n)
    end)
  end)

  it("hands the load over to one who waits when the loader is cancelled", function()
    run(function()
      local c, load = rille.cache(), counting(1)
      local first, second = start(c.get, c, "k", load), start(c.get, c, "k", load)
      rille.sleep(0.5)
      first:cancel()
      assert.equal("k2", (second:await()))
      assert.equal("k2", c:peek("k"))
    end)
  end)
end)
