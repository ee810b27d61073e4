--[[
binary_spec.lua - the binary from outside: options, streams, exit statuses.

Every example starts the binary named by RILLE_BINARY through sh. Where one
has to wait for the other, it waits for a line of output, never for a time.
--]]

local binary = os.getenv "RILLE_BINARY" or "build/rille"

local quote = function(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function slurp(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

local function write_file(path, text)
  local file <close> = assert(io.open(path, "wb"))
  file:write(text)
  return path
end

describe("the binary", function()
  local temporary

  local function temp_file(text)
    local path = os.tmpname()
    temporary[#temporary + 1] = path
    return write_file(path, text or "")
  end

  --- Runs a shell command in which $RILLE is the binary.
  -- Returns what it wrote on stdout, on stderr, and its exit status.
  local function shell(command)
    local out, err = temp_file(), temp_file()
    local _, how, code = os.execute(("RILLE=%s sh -c %s >%s 2>%s </dev/null"):format(
      quote(binary), quote(command), out, err))
    return slurp(out), slurp(err), how == "exit" and code or 128 + code
  end

  --- Runs the binary with a script of that text.
  local function run_script(text, arguments, options)
    local script = temp_file(text)
    return shell(("\"$RILLE\" %s %s %s"):format(options or "", script,
      arguments or ""))
  end

  before_each(function() temporary = {} end)
  after_each(function()
    for _, path in ipairs(temporary) do os.remove(path) end
  end)

  describe("script", function()
    it("runs as the main task", function()
      local out, _, status = run_script [[
        local rille = require "rille"
        rille.sleep(0.001)
        print(rille.current() ~= nil)
      ]]
      assert.same({ "true\n", 0 }, { out, status })
    end)

    it("gets its arguments as ... and in arg", function()
      local out = run_script([[
        print(#arg, arg[1], arg[2], ...)
      ]], "one 'two three'")
      assert.equal("2\tone\ttwo three\tone\ttwo three\n", out)
    end)

    it("finds its name and the options before it in arg", function()
      local out = run_script("print(arg[-3], arg[-2], arg[-1])", "", "-W -e x=1")
      assert.equal("-W\t-e\tx=1\n", out)
    end)

    it("finds the binary's name at the lowest index of arg", function()
      local out = run_script("print(arg[-1])")
      assert.equal(binary .. "\n", out)
    end)

    it("may change arg before it is passed on", function()
      local out = run_script("print(...)", "a b", [[-e 'arg[1] = "changed"']])
      assert.equal("changed\tb\n", out)
    end)

    it("is read from stdin when that is not a terminal", function()
      local out, _, status = shell [[echo 'print("piped", ...)' | "$RILLE"]]
      assert.same({ "piped\n", 0 }, { out, status })
    end)

    it("is read from stdin for -", function()
      local out = shell [[echo 'print(arg[0], ...)' | "$RILLE" - a b]]
      assert.equal("-\ta\tb\n", out)
    end)

    it("is a file after --", function()
      local script = temp_file "print('file', ...)"
      assert.equal("file\t-e\n", (shell([["$RILLE" -- ]] .. script .. " -e")))
    end)

    it("waits for the tasks it has started", function()
      local out = run_script [[
        local rille = require "rille"
        rille.root():go(function() rille.sleep(0.001) print "task" end)
        print "script"
      ]]
      assert.equal("script\ntask\n", out)
    end)

    it("has coroutines that may wait", function()
      local out, _, status = run_script [[
        local rille = require "rille"
        for v in coroutine.wrap(function()
          rille.sleep(0.001)
          coroutine.yield "generated"
        end) do print(v) end
      ]]
      assert.same({ "generated\n", 0 }, { out, status })
    end)

    it("has the collector of Lua's own interpreter", function()
      assert.equal("generational\n", (shell [[$RILLE -E -e 'print(collectgarbage "incremental")']]))
    end)

    it("has no global of the engine", function()
      assert.equal("nil\n", (run_script "print(rille)"))
    end)
  end)

  describe("exit status", function()
    it("is 1 for an error, which goes to stderr", function()
      local out, err, status = run_script "error 'went wrong'"
      assert.same({ "", 1 }, { out, status })
      assert.matches("^rille: .-:1: went wrong\n", err)
      assert.matches("traceback", err)
    end)

    it("is 1 for a syntax error", function()
      local _, err, status = run_script "x ="
      assert.equal(1, status)
      assert.matches("unexpected symbol near <eof>", err)
    end)

    it("is 1 for a script that is not there", function()
      local _, err, status = shell [["$RILLE" /nonexistent.lua]]
      assert.equal(1, status)
      assert.matches("^rille: cannot open /nonexistent.lua", err)
    end)

    it("is 1 for a task that fails", function()
      local _, err, status = run_script [[
        require("rille").root():go(function() error "in a task" end)
      ]]
      assert.equal(1, status)
      assert.matches("in a task", err)
    end)

    it("is 1 for any error value", function()
      for _, value in ipairs { "nil", "{}", "setmetatable({}, {__tostring = 1})",
        "setmetatable({}, {__tostring = function() error 'twice' end})" } do
        local _, err, status = run_script("error(" .. value .. ")")
        assert.equal(1, status)
        assert.matches("^rille: ", err)
      end
    end)

    it("is 1 for a deadlock", function()
      local _, err, status = run_script 'require("rille").channel():recv()'
      assert.equal(1, status)
      assert.matches("deadlock", err)
    end)

    it("is that of os.exit in a task", function()
      local out, _, status = run_script [[
        local rille = require "rille"
        rille.root():go(function() io.write "out" os.exit(7) end)
        rille.sleep(60)
      ]]
      assert.same({ "out", 7 }, { out, status })
    end)

    it("is that of os.exit with close", function()
      local _, err, status = run_script [[
        local rille = require "rille"
        rille.root():go(function() os.exit(8, true) end)
        rille.sleep(60)
      ]]
      assert.same({ "", 8 }, { err, status })
    end)

    it("is 0 whatever the script returns", function()
      local _, _, status = run_script "return nil, 'not an error'"
      assert.equal(0, status)
    end)
  end)

  describe("-e and -l", function()
    it("-e has rille as a global", function()
      assert.equal("true\n", (shell [["$RILLE" -e 'print(rille == require "rille")']]))
    end)

    it("a script has not", function()
      assert.equal("nil\n", (run_script "print(rille)"))
    end)

    it("run in order, in one main task", function()
      local out = shell [["$RILLE" -e 'a = 1' -e 'require"rille".sleep(0.001)' \
        -e 'print(a)']]
      assert.equal("1\n", out)
    end)

    it("take their value from the same word", function()
      assert.equal("2\n", (shell [["$RILLE" '-eprint(2)']]))
    end)

    it("set a global for a module", function()
      assert.equal("table\n", (shell [["$RILLE" -l rille -e 'print(type(rille))']]))
    end)

    it("set the global that is named", function()
      assert.equal("table\n", (shell [["$RILLE" -l r=rille -e 'print(type(r))']]))
    end)

    it("name the command line in errors", function()
      local _, err, status = shell [["$RILLE" -e 'error "x"']]
      assert.equal(1, status)
      assert.matches("^rille: %(command line%):1: x", err)
    end)

    it("stop at the first failure", function()
      local out, _, status = shell [["$RILLE" -e 'error()' -e 'print(1)']]
      assert.same({ "", 1 }, { out, status })
    end)

    it("need a value", function()
      local _, err, status = shell [["$RILLE" -e]]
      assert.equal(1, status)
      assert.matches("^rille: option '%-e' needs an argument\nusage: ", err)
    end)
  end)

  describe("option", function()
    it("-v says the versions and goes on", function()
      local out, _, status = shell [["$RILLE" -v -e 'print(1)']]
      assert.equal(0, status)
      assert.matches("^rille %d+%.%d+%.%d+ %(Lua 5%.4%.%d+, libuv [%d.]+%)\n1\n$", out)
    end)

    it("-v alone does not read stdin", function()
      local out = shell [[echo 'print "read"' | "$RILLE" -v]]
      assert.not_matches("read", out)
    end)

    it("--version says the versions and stops", function()
      local out, _, status = shell [["$RILLE" --version -e 'print(1)']]
      assert.equal(0, status)
      assert.matches("^rille [^\n]+\n$", out)
    end)

    it("--help explains itself on stdout", function()
      local out, err, status = shell [["$RILLE" --help]]
      assert.same({ "", 0 }, { err, status })
      assert.matches("^usage: rille", out)
    end)

    it("-W turns warnings on", function()
      local _, err = shell [["$RILLE" -W -e 'warn "careful"']]
      assert.equal("Lua warning: careful\n", err)
    end)

    it("that is unknown is named, with the usage", function()
      for _, option in ipairs { "--frob", "-x", "-vv", "--virtually" } do
        local _, err, status = shell([["$RILLE" ]] .. option)
        assert.equal(1, status)
        assert.matches("^rille: unrecognized option '" .. option:gsub("%p", "%%%0")
          .. "'\nusage: ", err)
      end
    end)

    it("--virtual runs on the virtual clock", function()
      local out = shell [["$RILLE" --virtual -l rille \
        -e 'rille.sleep(1e6) print(rille.now() == 1e6)']]
      assert.equal("true\n", out)
    end)

    it("--virtual does not go with -i", function()
      local _, err, status = shell [["$RILLE" --virtual -i]]
      assert.equal(1, status)
      assert.matches("^rille: a session at the terminal needs the real clock\n", err)
    end)

    it("--seed makes choices repeatable", function()
      local script = temp_file [[
        local rille = require "rille"
        local a, b = rille.channel(50), rille.channel(50)
        for i = 1, 50 do a:send(i) b:send(i) end
        for _ = 1, 50 do io.write(rille.select { { a }, { b } }) end
      ]]
      local function choices(seed)
        return (shell([["$RILLE" --virtual --seed ]] .. seed .. " " .. script))
      end
      assert.equal(choices(7), choices(7))
      assert.not_equal(choices(7), choices(8))
      assert.equal(choices(7), (shell([[RILLE_SEED=7 "$RILLE" --virtual ]] .. script)))
      assert.equal(choices(7), (shell([["$RILLE" --virtual --seed=7 ]] .. script)))
    end)

    it("--seed needs a whole number", function()
      for _, value in ipairs { "", "x", "1.5", "--virtual" } do
        local _, err, status = shell([["$RILLE" --seed ]] .. value)
        assert.equal(1, status)
        assert.matches("^rille: option '%-%-seed' needs a whole number\n", err)
      end
    end)

    it("--explore names the seed that failed", function()
      local _, err, status = shell [["$RILLE" --explore 3 -e 'error "always"']]
      assert.equal(1, status)
      assert.matches("rille: failed with %-%-explore 1 %-%-seed 1\n$", err)
    end)

    it("--explore runs under every seed", function()
      local out, _, status = shell [["$RILLE" --explore 3 -e 'io.write "."']]
      assert.same({ "...", 0 }, { out, status })
    end)
  end)

  describe("environment", function()
    it("RILLE_INIT runs first", function()
      local out = shell [[RILLE_INIT='x = 5' "$RILLE" -e 'print(x)']]
      assert.equal("5\n", out)
    end)

    it("RILLE_INIT may name a file, which may wait", function()
      local init = temp_file "require('rille').sleep(0.001) x = 6"
      local out = shell("RILLE_INIT=@" .. init .. [[ "$RILLE" -e 'print(x)']])
      assert.equal("6\n", out)
    end)

    it("RILLE_INIT_5_4 wins over RILLE_INIT, and that over LUA_INIT", function()
      assert.equal("1\n", (shell [[RILLE_INIT_5_4='x=1' RILLE_INIT='x=2' \
        "$RILLE" -e 'print(x)']]))
      assert.equal("2\n", (shell [[RILLE_INIT='x=2' LUA_INIT='x=3' \
        "$RILLE" -e 'print(x)']]))
      assert.equal("3\n", (shell [[LUA_INIT='x=3' "$RILLE" -e 'print(x)']]))
    end)

    it("is named when the init code fails", function()
      local _, err, status = shell [[RILLE_INIT='error "x"' "$RILLE" -e 'print(1)']]
      assert.equal(1, status)
      assert.matches("^rille: RILLE_INIT:1: x", err)
    end)

    it("is ignored for -E", function()
      local out = shell [[RILLE_INIT='x = 5' LUA_PATH=nowhere RILLE_SEED=x \
        "$RILLE" -E -e 'print(x, package.path ~= "nowhere")']]
      assert.equal("nil\ttrue\n", out)
    end)

    it("RILLE_SEED needs a whole number", function()
      local _, err, status = shell [[RILLE_SEED=x "$RILLE" -e 'print(1)']]
      assert.equal(1, status)
      assert.matches("^rille: RILLE_SEED is not a whole number: 'x'", err)
    end)
  end)

  describe("precompiled chunk", function()
    local bytecode = string.dump(function() return 1 end)

    it("is refused as a script", function()
      local _, err, status = run_script(bytecode)
      assert.equal(1, status)
      assert.matches("attempt to load a binary chunk", err)
    end)

    it("is refused on stdin", function()
      local script = temp_file(bytecode)
      local _, err, status = shell([["$RILLE" - <]] .. script)
      assert.equal(1, status)
      assert.matches("attempt to load a binary chunk", err)
    end)

    it("is refused by load, whatever the mode", function()
      local out = run_script [[
        local code = string.dump(function() end)
        for _, mode in ipairs { "b", "bt", "t" } do
          print((select(2, load(code, "code", mode))))
        end
        print((select(2, load(code))))
      ]]
      assert.matches("^binary chunks are refused.-\n.-binary chunk.-\n"
        .. ".-binary chunk.-\n.-binary chunk", out)
    end)

    it("is refused by loadfile, dofile and require", function()
      local code = temp_file(bytecode)
      local out = shell(([["$RILLE" -e 'print(loadfile("%s"))
        print(pcall(dofile, "%s"))
        package.path = "%s"
        print(pcall(require, "some"))']]):format(code, code, code))
      assert.matches("^nil\t[^\n]*binary chunk[^\n]*\n"
        .. "false\t[^\n]*binary chunk[^\n]*\n"
        .. "false\terror loading module 'some'.*binary chunk", out)
    end)

    it("leaves loading text as it is", function()
      local file = temp_file "return ..., x"
      local out = shell(([["$RILLE" -e 'x = 1
        print(load("return ..., x", "c", nil, { x = 2 })(0))
        print(load("return ..., x", "c", "bt")(0))
        print(load("x ="))
        print(loadfile("%s")(3), loadfile("%s", "t", { x = 4 })(3))
        print(dofile("%s"))
        package.path = "%s"
        print(require "some")
        print(pcall(require, "other.thing"))
        print(pcall(load))']]):format(file, file, file, file))
      assert.equal("0\t2\n0\t1\nnil\t[string \"x =\"]:1: unexpected symbol near <eof>\n"
        .. "3\t3\t4\nnil\t1\nsome\t" .. file .. "\n", out:match("^.-" .. file .. "\n"))
    end)

    it("does not concern a dofile that waits", function()
      local file = temp_file "require('rille').sleep(0.001) return 'waited'"
      assert.equal("waited\n", (shell(([["$RILLE" -e 'print(dofile("%s"))']]):format(file))))
    end)
  end)

  describe("signal", function()
    local preamble = 'local rille = require "rille" io.stdout:setvbuf "line"\n'

    --- Starts a script that prints "ready", sends the signals, one after each
    -- line that the script prints. Returns its other output and its status.
    local function interrupt(text, ...)
      local script = temp_file(preamble .. text)
      local process = io.popen(("sh -c 'echo $$; exec \"%s\" %s 2>&1'"):format(
        binary, script))
      local pid = process:read "l"
      for _, signal in ipairs { ... } do
        assert.equal("ready", process:read "l")
        os.execute("kill -" .. signal .. " " .. pid)
      end
      local rest = process:read "a"
      local _, how, code = process:close()
      return rest, how == "exit" and code or 128 + code
    end

    local waiting = [[
      rille.scope(function(s)
        s:defer(function() rille.sleep(0.001) print "cleaned" end)
        print "ready"
        rille.sleep(60)
      end)
      print "not reached"
    ]]

    it("SIGINT runs cleanup and gives 130", function()
      assert.same({ "cleaned\nrille: interrupted by SIGINT\n", 130 },
        { interrupt(waiting, "INT") })
    end)

    it("SIGTERM runs cleanup and gives 143", function()
      assert.same({ "cleaned\nrille: interrupted by SIGTERM\n", 143 },
        { interrupt(waiting, "TERM") })
    end)

    it("gives 130 when the script swallows it", function()
      local out, status = interrupt([[
        print(pcall(function() print "ready" rille.sleep(60) end) == false)
      ]], "INT")
      assert.equal(130, status)
      assert.matches("^true\n", out)
    end)

    it("carries its reason", function()
      local out = interrupt([[
        local _, err = pcall(function() print "ready" rille.sleep(60) end)
        print(err.kind, err.reason.kind, err.reason.message)
      ]], "TERM")
      assert.matches("^cancelled\tinterrupted\tinterrupted by SIGTERM\n", out)
    end)

    it("a second time ends a busy loop", function()
      local out, status = interrupt([[
        print "ready" print "ready"
        while true do end
      ]], "INT", "TERM") -- two alike might arrive as one
      assert.same({ "", 143 }, { out, status })
    end)

    it("a second time ends cleanup that hangs", function()
      local _, status = interrupt([[
        rille.scope({ grace = 60 }, function(s)
          s:defer(function() print "ready" rille.sleep(50) end)
          print "ready"
          rille.sleep(60)
        end)
      ]], "TERM", "TERM")
      assert.equal(143, status)
    end)

    it("SIGPIPE does not end it: the write fails", function()
      local err = select(2, shell [["$RILLE" -e 'io.stdout:setvbuf "no"
        local ok, message
        repeat ok, message = io.write "x" until not ok
        io.stderr:write(message)' | true]])
      assert.equal("Broken pipe", err)
    end)
  end)
end)
