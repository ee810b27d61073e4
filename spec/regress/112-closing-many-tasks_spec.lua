-- To close an engine took time with the square of its tasks: 10^5 of them, a
-- minute and a half.
describe("an engine with very many parked tasks", function()
  it("is closed before anybody loses patience", function()
    local script = [[
      rille.root():go({ daemon = true }, function()
        rille.scope(function(s) for i = 1, 100000 do s:go(rille.sleep, 1000) end end)
      end)
      rille.sleep(0.01)
      os.exit(3, true)]]
    local _, how, status = os.execute(("timeout 50 %s -e '%s'"):format(
      os.getenv "RILLE_BINARY", script))
    assert.equal("exit 3", how .. " " .. status)
  end)
end)
