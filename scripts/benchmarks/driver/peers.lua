--[[
peers.lua - who is measured: their commands, and whether they are here.

A peer is {name, title, command, echo, http, environment, cpus, version, absent}:
`command` runs a row when ROW OPS TASKS WARM are put behind it; `echo` is the
echo server, `http` the HTTP server; `absent` says what is missing. Every
program has one CPU, and Go with GOMAXPROCS=2 has all of them. "before" is
another binary of rille, if one is given.
]]
local shell = require "shell"

local peers = {}

-- In the order of the columns.
local order = {"rille", "before", "go", "go2", "floor", "tarantool", "cqueues", "luv", "node",
  "copas"}

-- The peers that are Lua programs: one file with the rows, one with the server.
local function scripts(directory, ...)
  local command, echo = {...}, {...}
  command[#command + 1] = directory .. "/main.lua"
  echo[#echo + 1] = directory .. "/echo.lua"
  return command, echo
end

-- A library for Lua: it is there if `test` runs. Its version is its package's;
-- what some of them say of themselves is that of an older one.
local function lua_peer(o, name, interpreter, test)
  local command, echo = scripts(o.here .. "/" .. name, interpreter)
  local version = "dpkg-query -W -f '${Package} ${Version}' lua-" .. name
  return {title = name, command = command, echo = echo, package = "lua-" .. name,
    version = ("%s && { %s || echo %s; }"):format(shell.join{interpreter, "-e", test}, version,
      name)}
end

local function rille_peer(o, title, program)
  local command, echo = scripts(o.here .. "/rille", program)
  return {title = title, command = command, echo = echo,
    http = {program, o.here .. "/rille/http.lua"}, version = shell.quote(program) .. " -v"}
end

-- o: rille, before, floor, go (paths of programs), here (the folder of the
-- programs)
local function describe(o)
  local go = {title = "Go", command = {o.go}, echo = {o.go, "echo"},
    http = {o.go, "http"}, package = "golang-go", environment = "GOMAXPROCS=1",
    version = "test -x " .. shell.quote(o.go) .. " && go version"}
  local tarantool, tarantool_echo = scripts(o.here .. "/tarantool", "tarantool")
  return {
    rille = rille_peer(o, "rille", o.rille),
    before = o.before and rille_peer(o, "before", o.before),
    go = go,
    go2 = {title = "Go, 2 CPUs", command = go.command, package = go.package,
      environment = "GOMAXPROCS=2", version = go.version, cpus = "all"},
    floor = {title = "floor", command = {o.floor, "run", o.here .. "/floor/bare.lua"},
      version = "test -x " .. shell.quote(o.floor) .. " && lua5.4 -v"},
    tarantool = {title = "Tarantool", command = tarantool, echo = tarantool_echo,
      package = "tarantool", version = "tarantool -v | head -1 | grep ."},
    cqueues = lua_peer(o, "cqueues", "lua5.4", 'require "cqueues"'),
    luv = lua_peer(o, "luv", "lua5.4", 'require "luv"'),
    node = {title = "Node", command = {"node", "--expose-gc", o.here .. "/node/main.mjs"},
      echo = {"node", o.here .. "/node/echo.mjs"}, http = {"node", o.here .. "/node/http.mjs"},
      package = "nodejs",
      version = "node --version"},
    copas = lua_peer(o, "copas", "lua5.1", 'require "luv" require "copas"'),
  }
end

local function looked_for(peer, name)
  peer.name = name
  local version = shell.read(peer.version)
  peer.version = version and version:match "^[^\n]*"
  if not version then
    peer.absent = peer.package and "install " .. peer.package .. ", or run scripts/bench --setup"
      or "it has not been built"
  end
  return peer
end

-- The list of all peers that are asked for; those that are not here have
-- `absent`.
function peers.find(o)
  local list, described = {}, describe(o)
  for _, name in ipairs(order) do
    local peer = described[name]
    if peer and (not o.peers or o.peers[name]) then list[#list + 1] = looked_for(peer, name) end
  end
  return list
end

peers.names = order

return peers
