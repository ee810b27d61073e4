-- An engine that a task closed (through its finalizer, found in the registry)
-- made rille.run turn for ever.
describe("an engine that is closed by a task", function()
  it("ends the run with an error", function()
    local script = [[
      for _, v in pairs(debug.getregistry()) do
        local meta = type(v) == "userdata" and debug.getmetatable(v)
        if meta and meta.__metatable == "rille.engine" then meta.__gc(v) end
      end
      print(pcall(rille.sleep, 0))]]
    local pipe = assert(io.popen(("timeout 200 %s -e '%s' 2>&1"):format(
      os.getenv "RILLE_BINARY", script)))
    local text = pipe:read "a"
    local _, how, status = pipe:close()
    assert.equal("exit 1", how .. " " .. status)
    assert.matches("false\t.*the rille engine is closed\nrille: the rille engine is closed", text)
  end)
end)
