-- stdin_spec.lua - the standard input and the terminal, from outside.
local rille = require "rille"
local sys = require "spec.sys_helper"

-- Runs a script with this text on its standard input, a pipe.
local function piped(script, text)
  local path = os.tmpname()
  do
    local file <close> = assert(io.open(path, "w"))
    file:write(script)
  end
  local output = sys.shell(("printf '%s' | $RILLE %s 2>&1"):format(text, path))
  os.remove(path)
  return output
end

local lines = [[
  local rille = require "rille"
  for line in rille.stdin:lines() do io.write("[", line, "]") end
  print(rille.stdin:read())
]]

describe("rille.stdin", function()
  it("reads lines from a pipe", function()
    assert.equal("[one][][two]nil\tclosed: the standard input has ended\n",
      piped(lines, "one\\n\\ntwo"))
  end)

  it("reads lines from a file", function()
    assert.equal("[one][two]nil\tclosed: the standard input has ended\n",
      (sys.script(lines, nil, "one\ntwo\n")))
  end)

  it("reads from /dev/null", function()
    assert.equal("nil\tclosed: the standard input has ended\n",
      sys.shell "$RILLE -e 'print(rille.stdin:read())' </dev/null")
  end)

  it("reads so many bytes, and all", function()
    assert.equal("abc\tdefg\n", piped([[
      local rille = require "rille"
      print(rille.stdin:read(3), rille.stdin:read "a")
    ]], "abcdefg"))
  end)

  it("lets the other tasks run meanwhile", function()
    assert.equal("other\nline\n", sys.shell [[
      (while ! test -e $DIR/go; do sleep 0.01; done; echo line) | $RILLE -e '
        rille.root():go(function()
          print "other"
          rille.fs.write_file(os.getenv "DIR" .. "/go", "")
        end)
        print(rille.stdin:read "l")']])
  end)

  it("obeys a deadline, and loses nothing by it", function()
    assert.equal("nil\ttimeout\nhalf line\n", sys.shell [[
      (printf "half "; while ! test -e $DIR/go; do sleep 0.01; done; echo line) | $RILLE -e '
        local _, err = rille.timeout(0.1, function() return rille.stdin:read "l" end)
        print(nil, err.kind)
        rille.fs.write_file(os.getenv "DIR" .. "/go", "")
        print(rille.stdin:read "l")']])
  end)

  it("leaves no handle, and what it has not read to io.read", function()
    assert.equal("0\none\ntwo\n", sys.shell [[
      (echo one; while ! test -e $DIR/go; do sleep 0.01; done; echo two) | $RILLE -e '
        local before = #rille.testing.leaks()
        local line = rille.stdin:read "l"
        rille.yield()
        print(#rille.testing.leaks() - before)
        print(line)
        rille.fs.write_file(os.getenv "DIR" .. "/go", "")
        print(io.read "l")']])
  end)

  it("gives each of several readers a line", function()
    assert.equal("one two three\n", sys.shell [[
      printf 'one\ntwo\nthree\n' | $RILLE -e '
        local got = {}
        rille.scope(function(s)
          for i = 1, 3 do s:go(function() got[i] = rille.stdin:read "l" end) end
        end)
        print(table.concat(got, " "))']])
  end)

  it("is a case of a select, and keeps what comes after another case", function()
    assert.equal("2\ttick\n1\tone\none\n1\tnil\tclosed\n", sys.shell [[
      await() { while ! test -e $DIR/$1; do sleep 0.01; done; }
      (await go; echo one; await more; echo one) | $RILLE -e '
        local function tell(name) rille.fs.write_file(os.getenv "DIR" .. "/" .. name, "") end
        print(rille.select{{rille.stdin}, {rille.after(0.01), function() return "tick" end}})
        tell "go"
        print(1, select(2, rille.select{{rille.stdin}}):sub(1, -2))
        tell "more"
        rille.select({{rille.stdin}}, {timeout = 0})
        print(rille.stdin:read "l")
        local i, piece, err = rille.select{{rille.stdin}}
        print(i, piece, err.kind)']])
  end)

  it("gives each of several selects a piece", function()
    assert.equal("one two\n", sys.shell [[
      (echo one; while ! test -e $DIR/go; do sleep 0.01; done; echo two) | $RILLE -e '
        local got = {}
        rille.scope(function(s)
          for _ = 1, 2 do
            s:go(function()
              local _, piece = rille.select{{rille.stdin}}
              got[#got + 1] = piece:sub(1, -2)
              rille.fs.write_file(os.getenv "DIR" .. "/go", "")
            end)
          end
        end)
        print(table.concat(got, " "))']])
  end)

  it("is closed for who has none", function()
    assert.matches("nil\tEBADF", sys.shell [[
      $RILLE -e 'local _, err = rille.stdin:read() print(nil, err.code)' <&- 2>&1]])
  end)

  it("can be read by a line of the REPL, and not by others while it prompts", function()
    -- Each line is typed when the one before it has been answered.
    local output = sys.shell [[
      mkfifo $DIR/in; : >$DIR/out
      $RILLE -i <$DIR/in >>$DIR/out 2>&1 &
      exec 3>$DIR/in
      type() { echo "$1" >&3; while ! grep -q "$2" $DIR/out; do sleep 0.01; done; }
      type 'print "asking" io.stdout:flush() print("got " .. rille.stdin:read("l"))' asking
      type 'a line' 'got a line'
      type 's = rille.root():task(function() return rille.stdin:read("l") end)' ''
      type 'print("refused " .. select(2, s:await()).kind)' refused
      exec 3>&-; wait; cat $DIR/out]]
    assert.matches("got a line", output)
    assert.matches("refused invalid", output)
  end)
end)

describe("rille.tty", function()
  it("knows what is none", function()
    local output = sys.shell [[
      $RILLE -e 'print(rille.tty.is_tty(0), rille.tty.is_tty(), rille.tty.is_tty(2))
        local _, err = rille.tty.size() print(err.kind, err.code)' </dev/null 2>/dev/null]]
    assert.equal("false\tfalse\tfalse\nio\tENOTTY\n", output)
  end)

  it("tells the size of one", function()
    local output = sys.shell [[
      script -qec "stty cols 91 rows 17; $RILLE -e 'print(rille.tty.is_tty(), rille.tty.size())'" \
        /dev/null </dev/null]]
    assert.matches("true\t91\t17", output)
  end)

  it("reads lines typed at one", function()
    local output = sys.shell [[
      cat >$DIR/script <<END
        rille.fs.write_file("$DIR/go", "")
        print(rille.stdin:read "l":upper())
END
      (while ! test -e $DIR/go; do sleep 0.01; done; echo typed) |
        script -qec "$RILLE -l rille $DIR/script" /dev/null]]
    assert.matches("TYPED", output)
  end)

  it("raises for what is no descriptor", function()
    assert.has_error(function() rille.tty.is_tty "1" end)
    assert.has_error(function() rille.tty.size(-1) end)
  end)
end)
