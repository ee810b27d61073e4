-- What the manual shows is what happens: each program in README.md and docs/
-- prints the block of text that follows it; one without such a block is a part
-- of a program, and compiles. All run in an empty directory, with two lines of
-- input.
local binary = ("'%s'"):format(os.getenv "RILLE_BINARY")

-- The command that runs a script: stock Lua, where the fence says "lua lua5.4",
-- else the binary, on the virtual clock unless the script looks at the outside.
local function command_for(info, script)
  if info == "lua lua5.4" then return "lua5.4" end
  for _, part in ipairs { "net", "http", "fs", "process", "signal", "stdin", "uv" } do
    if script:find("rille." .. part, 1, true) then return binary end
  end
  return binary .. " --virtual"
end

-- The fenced blocks of a page, in order: {info, line, text}.
local function blocks_of(path)
  local blocks, block, number = {}, nil, 0
  for line in io.lines(path) do
    number = number + 1
    local info = line:match "^```(.*)$"
    if info and block then
      blocks[#blocks + 1], block = block, nil
    elseif info then
      block = { info = info, line = number, text = "" }
    elseif block then
      block.text = block.text .. line .. "\n"
    end
  end
  return blocks
end

-- What `command` prints, on both streams, for a script named "example.lua".
local function output_of(script, command)
  local pipe = assert(io.popen(([[
    dir=$(mktemp -d) && cd "$dir" && cat >example.lua <<'END OF SCRIPT'
%sEND OF SCRIPT
    printf 'one\ntwo\n' | timeout 50 %s example.lua 2>&1
    cd / && rm -r "$dir"]]):format(script, command)))
  local output = pipe:read "a"
  pipe:close()
  return output
end

-- Checks the program of `block`; `after` is the block that follows it.
local function check(block, after)
  if after and after.info == "text" then
    local output = output_of(block.text, command_for(block.info, block.text))
    -- Some things are not to be seen on a page.
    local visible = output:gsub("\r\n", "\n"):gsub("\n+$", "\n")
    assert.equal(after.text, visible)
  else
    assert(load(block.text))
  end
end

local pages = assert(io.popen "ls README.md docs/*.md")
for path in pages:lines() do
  describe(path, function()
    local blocks = blocks_of(path)
    for i, block in ipairs(blocks) do
      if block.info:find "^lua" then
        it("does what it says in the program of line " .. block.line, function()
          check(block, blocks[i + 1])
        end)
      end
    end
  end)
end
pages:close()
