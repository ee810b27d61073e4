-- Out of descriptors no file can be looked at, and rille.uv() took that for "luv
-- is not installed".
describe("rille.uv, with no descriptor left", function()
  it("says so, and works once there is one", function()
    local script = [[
      local files = {}
      repeat
        local file = io.open("/dev/null")
        files[#files + 1] = file
      until not file
      print(select(2, pcall(rille.uv)))
      for _, file in ipairs(files) do file:close() end
      print(type(rille.uv().now()))]]
    local pipe = assert(io.popen(("ulimit -n 64; exec timeout 200 %s -e '%s' 2>&1"):format(
      os.getenv "RILLE_BINARY", script)))
    local text = pipe:read "a"
    pipe:close()
    assert.is_nil(text:find "not installed", text)
    assert.truthy(text:find "Too many open files\nnumber\n$", text)
  end)
end)
