--[[
repl_spec.lua - the REPL from outside, in two ways.

With -i and a pipe it reads plainly: what it is given and what it prints are
compared as a whole. In a pseudo-terminal, made by script(1), it edits lines:
there every step waits for the text that the one before must bring.
--]]

local binary = os.getenv "RILLE_BINARY" or "build/rille"

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function shell_read(command)
  local process <close> = io.popen(command)
  local text = process:read "a"
  local _, how, code = process:close()
  return text, how == "exit" and code or 128 + code
end

--- Gives lines to `rille -i`. Returns what it wrote on both streams, without
-- the prompts and the version, and its exit status.
local function session(input, options)
  local text, status = shell_read(("printf '%%s' %s | RILLE_HISTORY= %s -i %s 2>&1"):format(
    quote(input), binary, options or ""))
  text = text:gsub("^rille [^\n]*\n", "")
  return (("\n" .. text):gsub("\n>[> ]*", "\n"):sub(2)), status
end

--- Starts the REPL in a pseudo-terminal.
-- Returns send(text), expect(plain text) and finish() -> the rest, status.
local function terminal(command)
  local fifo = os.tmpname()
  os.remove(fifo)
  assert(os.execute("mkfifo " .. fifo))
  -- script(1) has leaks of its own, which are no business of a sanitizer here.
  local keys = io.popen(("LD_PRELOAD= TERM=xterm script -qfec %s /dev/null >%s"):format(
    quote(command), fifo), "w")
  keys:setvbuf "no"
  local screen = io.open(fifo, "r")
  os.remove(fifo)
  local function send(text) keys:write(text) end
  local function expect(wanted)
    local seen = ""
    while not seen:find(wanted, 1, true) do
      local char = screen:read(1)
      if not char then error(("%q expected, got %q"):format(wanted, seen), 2) end
      seen = seen .. char
    end
    return seen
  end
  local function finish()
    local rest = screen:read "a"
    screen:close()
    local _, how, code = keys:close()
    return rest, how == "exit" and code or 128 + code
  end
  return send, expect, finish
end

-- In place of the shell: one that waited would be ended by Ctrl-C too.
local repl = "exec env RILLE_HISTORY= " .. binary

describe("the REPL", function()
  describe("line", function()
    it("prints the values of an expression", function()
      assert.equal("3\ta\tnil\n", (session "1 + 2, 'a', nil\n"))
    end)

    it("prints nothing for a statement", function()
      assert.equal("7\n", (session "x = 7\nx\n"))
    end)

    it("may begin with =", function()
      assert.equal("3\n", (session "= 1 + 2\n"))
    end)

    it("goes on while it is incomplete", function()
      assert.equal("1\n2\n", (session "for i = 1, 2 do\nprint(i)\nend\n"))
    end)

    it("may be the last one without a newline", function()
      assert.equal("5\n", (session "5"))
    end)

    it("may wait", function()
      assert.equal("true\ndone\n", (session "rille.sleep(0.001) print(true)\n'done'\n"))
    end)

    it("keeps no locals and keeps globals", function()
      assert.equal("nil\t2\n", (session "local a = 1; b = 2\na, b\n"))
    end)

    it("may return nil and a message", function()
      assert.equal("nil\tmessage\n", (session "nil, 'message'\n"))
    end)

    it("may read the input that follows it", function()
      assert.equal("next\n1\n", (session "io.read()\nnext\n1\n"))
    end)
  end)

  describe("error", function()
    it("is printed with its traceback and keeps the session", function()
      local out, status = session "error 'oops'\n1\n"
      assert.equal(0, status)
      assert.matches("^stdin:1: oops\nstack traceback:\n.*in main chunk\n1\n$", out)
    end)

    it("of syntax keeps the session", function()
      assert.equal("stdin:1: unexpected symbol near ')'\n1\n", (session ")\n1\n"))
    end)

    it("may be any value", function()
      local out = session "error()\nerror {}\nerror(setmetatable({}, {__tostring = error}))\n1\n"
      assert.matches("^nil\n.*table: .*error object is a table value.*\n1\n$", out)
    end)

    it("of print keeps the session", function()
      local out = session "print = nil\n1\nprint\n"
      assert.matches("error calling 'print'", out)
    end)

    it("of a line that waits for nothing can be followed by another", function()
      local out = session [[
scope:go(function() rille.sleep(0.001) ch:send(1) end) ch = rille.channel() ch:recv()
2
]]
      assert.equal("2\n", out:match "2\n$")
    end)
  end)

  describe("background task", function()
    it("goes on between lines", function()
      local out = session [[
ch = rille.channel()
t = scope:go(function() for i = 1, 3 do rille.sleep(0.001) ch:send(i) end end)
ch:recv()
ch:recv() + ch:recv()
]]
      assert.equal("1\n5\n", out)
    end)

    it("that fails is printed once and keeps the session", function()
      local out, status = session [[
t = scope:go(function() error("in the background", 0) end)
rille.sleep(0.001)
1
]]
      assert.same({ "task failed: in the background\n1\n", 0 }, { out, status })
    end)

    it("is cancelled, with its cleanup, at the end", function()
      local out, status = session [[
t = scope:go(function()
local done <close> = setmetatable({}, { __close = function() print "cleaned" end })
rille.sleep(60)
end)
rille.sleep(0.001)
]]
      assert.same({ "cleaned\n", 0 }, { out:gsub("^>* *", ""), status })
    end)
  end)

  it("has the globals rille and scope", function()
    assert.equal("session\ttable\n", (session "scope:name(), type(rille)\n"))
  end)

  it("follows a script for -i", function()
    assert.equal("1\n", (session("x\n", "-e 'x = 1'")))
  end)

  it("says its version", function()
    assert.matches("^rille %d", (shell_read(binary .. " -i </dev/null")))
  end)

  it("takes its prompts from _PROMPT and _PROMPT2", function()
    local out = shell_read(("printf 'x =\\n1\\n' | %s -e %s -i"):format(binary,
      quote "_PROMPT, _PROMPT2 = 'one:', 'two:'"))
    assert.matches("\none:two:one:\n?$", out)
  end)

  it("ends with the status of os.exit", function()
    local _, status = session "os.exit(3)\n"
    assert.equal(3, status)
  end)

  describe("terminal", function()
    it("edits lines", function()
      local send, expect, finish = terminal(repl)
      expect "> "
      send "1 + 3\b2\n"
      expect "\n3"
      expect "> "
      send "\4"
      assert.equal(0, (select(2, finish())))
    end)

    it("goes on with tasks while the prompt waits", function()
      local send, expect, finish = terminal(repl)
      expect "> "
      send "t = scope:go(function() rille.sleep(0.01) print('tick' .. 1) end)\n"
      expect "tick1"
      expect "> "
      send "\4"
      assert.equal(0, (select(2, finish())))
    end)

    it("tells of a task that fails while the prompt waits", function()
      local send, expect, finish = terminal(repl)
      expect "> "
      send "t = scope:go(function() rille.sleep(0.01) error('f' .. 1, 0) end)\n"
      expect "task failed: f1"
      expect "> "
      send "\4"
      assert.equal(0, (select(2, finish())))
    end)

    it("Ctrl-C cancels the line that runs, and only that", function()
      local send, expect, finish = terminal(repl)
      expect "> "
      send "t = scope:go(function() rille.sleep(60) end)\n"
      expect "> "
      send "print('be' .. 'gun') rille.sleep(60)\n"
      expect "begun"
      send "\3"
      expect "> "
      send "'still ' .. t:status()\n"
      expect "still waiting"
      expect "> "
      send "\4"
      assert.equal(0, (select(2, finish())))
    end)

    it("Ctrl-C clears the line that is typed", function()
      local send, expect, finish = terminal(repl)
      expect "> "
      send "nonsense"
      expect "nonsense"
      send "\3"
      expect "> "
      send "4 * 5\n"
      expect "\n20"
      expect "> "
      send "\4"
      assert.equal(0, (select(2, finish())))
    end)

    it("Ctrl-C clears an incomplete line", function()
      local send, expect, finish = terminal(repl)
      expect "> "
      send "for i = 1, 2 do\n"
      expect ">> "
      send "\3"
      expect "> "
      send "4 * 5\n"
      expect "\n20"
      expect "> "
      send "\4"
      assert.equal(0, (select(2, finish())))
    end)

    it("outlives a line that nothing will wake", function()
      local send, expect, finish = terminal(repl)
      expect "> "
      send "print('be' .. 'gun') rille.channel():recv()\n"
      expect "begun"
      send "\3"
      expect "> "
      send "\4"
      assert.equal(0, (select(2, finish())))
    end)

    it("keeps the history in a file", function()
      local history = os.tmpname()
      for _, text in ipairs { "6 * 7\n", "\27[A\n" } do
        local send, expect, finish = terminal(("exec env RILLE_HISTORY=%s %s"):format(
          history, binary))
        expect "> "
        send(text)
        expect "\n42"
        expect "> "
        send "\4"
        finish()
      end
      os.remove(history)
    end)

    it("SIGTERM ends the session with cleanup and 143", function()
      local send, expect, finish = terminal("echo pid=$$; " .. repl)
      local pid = expect "\n":match "pid=(%d+)"
      expect "> "
      send "t = scope:defer(function() print('clea' .. 'ned') end)\n"
      expect "> "
      os.execute("kill -TERM " .. pid)
      expect "cleaned"
      assert.equal(143, (select(2, finish())))
    end)

    it("reads plainly where the terminal is dumb", function()
      local send, expect, finish = terminal("TERM=dumb " .. repl)
      expect "> "
      send "4 * 5\n"
      expect "\n20"
      expect "> "
      send "\4"
      assert.equal(0, (select(2, finish())))
    end)
  end)
end)
