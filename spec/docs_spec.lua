-- What the manual shows is what happens: each program in README.md and docs/
-- prints the block of text that follows it; one without such a block is a part
-- of a program, and compiles. All run in a directory of their own, with two lines
-- of input. A fence may say more than "lua":
--
--     lua lua5.4     a program for stock Lua
--     lua busted     a spec
--     lua NAME.lua   a module, for the programs that follow
local binary = ("'%s'"):format(os.getenv "RILLE_BINARY")

local commands = {
  ["lua lua5.4"] = "lua5.4",
  ["lua busted"] = "lua5.4 $(command -v busted) -o plainTerminal",
}

-- The command that runs a script: what the fence says, or the binary, on the virtual
-- clock unless the script looks at the outside.
local function command_for(info, script)
  if commands[info] then return commands[info] end
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

-- The shell's words that write a file.
local function writing(name, text)
  return ("cat >%s <<'END OF FILE'\n%sEND OF FILE\n"):format(name, text)
end

-- What `command` prints, on both streams, for a script named "example.lua", with the
-- files that the shell's words `modules` write beside it.
local function output_of(script, command, modules)
  local pipe = assert(io.popen(([[
export ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0" # not those of the system's programs
dir=$(mktemp -d) && cd "$dir" && %s
printf 'one\ntwo\n' | timeout 600 %s example.lua 2>&1
cd / && rm -r "$dir"]]):format(modules .. writing("example.lua", script), command)))
  local output = pipe:read "a"
  pipe:close()
  return output
end

-- What is to be seen of it on a page, and is the same each time.
local function visible(output)
  return (output:gsub("\r\n", "\n"):gsub("\n+$", "\n"):gsub("[%d.]+ seconds", "N seconds"))
end

-- Checks the program of `block`; `after` is the block that follows it.
local function check(block, after, modules)
  if after and after.info == "text" then
    local output = output_of(block.text, command_for(block.info, block.text), modules)
    assert.equal(visible(after.text), visible(output))
  else
    assert(load(block.text))
  end
end

local pages = assert(io.popen "ls README.md docs/*.md")
for path in pages:lines() do
  describe(path, function()
    local blocks, modules = blocks_of(path), ""
    for i, block in ipairs(blocks) do
      local module, before = block.info:match "^lua (%w+%.lua)$", modules
      if module then modules = modules .. writing(module, block.text) end
      if block.info:find "^lua" then
        it("does what it says in the program of line " .. block.line, function()
          check(block, blocks[i + 1], before)
        end)
      end
    end
  end)
end
pages:close()
