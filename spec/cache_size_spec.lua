local rille = require "rille"
local helper = require "spec.helper"
local run, raises = helper.run, helper.raises
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

describe("cache size", function()
  -- The keys that are there, of 1 to n.
  local function keys(c, n)
    local list = {}
    for key = 1, n do
      if c:peek(key) ~= nil then list[#list + 1] = key end
    end
    return table.concat(list, " ")
  end

  local function filled(size, n)
    local c = rille.cache { size = size }
    for key = 1, n do c:set(key, key) end
    return c
  end

  it("evicts the entry that was used least recently", function()
    assert.equal("2 3 4", keys(filled(3, 4), 4))
  end)

  it("counts a hit as a use", function()
    run(function()
      local c = filled(3, 3)
      c:get(1, error)
      c:set(4, 4)
      assert.equal("1 3 4", keys(c, 4))
    end)
  end)

  it("counts a new value as a use", function()
    local c = filled(3, 3)
    c:set(1, "new")
    c:set(4, 4)
    assert.equal("1 3 4", keys(c, 4))
  end)

  it("does not count a peek as a use", function()
    local c = filled(3, 3)
    c:peek(1)
    c:set(4, 4)
    assert.equal("2 3 4", keys(c, 4))
  end)

  it("may be 1", function()
    assert.equal("5", keys(filled(1, 5), 5))
  end)

  it("may be math.huge", function()
    assert.equal(5000, filled(math.huge, 5000):stats().size)
  end)

  it("is 1000 by default", function()
    assert.equal(1000, filled(nil, 1500):stats().size)
  end)

  it("agrees with a list in order of use, in 5000 operations", function()
    local c, used, random = rille.cache { size = 8 }, {}, helper.random(7)
    for _ = 1, 5000 do
      local key = random(1, 16)
      for i, other in ipairs(used) do
        if other == key then table.remove(used, i) end
      end
      if random(1, 4) == 1 then
        c:forget(key)
      else
        c:set(key, key)
        table.insert(used, key)
        if #used > 8 then table.remove(used, 1) end
      end
      local sorted = table.move(used, 1, #used, 1, {})
      table.sort(sorted)
      assert.equal(table.concat(sorted, " "), keys(c, 16))
    end
  end)
end)

describe("cache set, forget and clear", function()
  it("set replaces a value", function()
    local c = rille.cache()
    c:set("k", 1)
    c:set("k", 2)
    assert.equal(2, c:peek("k"))
    assert.equal(1, c:stats().size)
  end)

  it("set wins over a load that is under way", function()
    run(function()
      local c, load = rille.cache(), counting(1)
      local task = start(c.get, c, "k", load)
      c:set("k", "set")
      assert.equal("k1", (task:await()))
      assert.equal("set", c:peek("k"))
    end)
  end)

  it("set raises for a value of nil", function()
    raises(function() rille.cache():set("k", nil) end, "#2 to 'set'")
  end)

  it("forget removes a value", function()
    local c = rille.cache()
    c:set("k", 1)
    c:forget("k")
    assert.is_nil(c:peek("k"))
  end)

  it("forget also forgets what a load under way will give", function()
    run(function()
      local c, load = rille.cache(), counting(1)
      local task = start(c.get, c, "k", load)
      c:forget("k")
      assert.equal("k2", (c:get("k", load)))
      assert.equal("k1", (task:await()))
      assert.equal("k2", c:peek("k"))
    end)
  end)

  it("clear removes all, and what loads under way will give", function()
    run(function()
      local c, load = rille.cache { size = 2 }, counting(1)
      c:set("a", 1)
      local task = start(c.get, c, "k", load)
      c:clear()
      task:await()
      assert.same({ 0, 0 }, { c:stats().size, c:stats().loading })
      for key = 1, 3 do c:set(key, key) end
      assert.equal(2, c:stats().size)
    end)
  end)

  it("raise for a key of nil or NaN", function()
    for _, name in ipairs { "set", "forget", "peek" } do
      raises(function() rille.cache()[name](rille.cache(), nil, 1) end, "#1 to '" .. name)
      raises(function() rille.cache()[name](rille.cache(), 0 / 0, 1) end, "#1 to '" .. name)
    end
  end)

  it("refuse a receiver that is no cache", function()
    for _, name in ipairs { "get", "peek", "set", "forget", "clear", "stats" } do
      for _, receiver in ipairs { 42, {}, rille.singleflight(), rille.channel(1) } do
        raises(function() rille.cache()[name](receiver, 1, print) end, "bad self")
      end
    end
  end)
end)

describe("cache options", function()
  it("raise for an unknown one", function()
    raises(function() rille.cache { tll = 1 } end, "did you mean 'ttl'")
  end)

  for option, value in pairs { size = 0, ttl = 0 / 0, stale = "1" } do
    it("raise for a bad " .. option, function()
      raises(function() rille.cache { [option] = value } end, "option '" .. option .. "'")
    end)
  end
end)
