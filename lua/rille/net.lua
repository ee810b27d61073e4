--[[
net.lua - TCP, Unix sockets, UDP and names, for tasks.

    net.connect(host, port)            a byte_stream       net_connect.lua
    net.listen(host, port, handler)    a listener          net_listen.lua
    net.udp(host, port)                a udp_socket        net_udp.lua
    net.resolve(host)                  addresses           here

An address is a host and a port; with "unix" as the host, the second is a path.
Everything is luv's, on the engine's loop; every call suspends the calling task
alone, and what it opens is closed by `<close>`, with its scope, or when it is
garbage.
]]
local rille, core = ...

core.load "rille.common"
local uv = rille.uv()

local M = {}

-- For the other files of this part: what is public, to which they add, and what
-- they share.
local inner = setmetatable({}, {__index = M})
core.net = inner

local families = {"inet", "inet6"}

local read_resolve = core.options("resolve", 2, {family = "'inet'|'inet6'"})

-- Whether `host` cannot be a name: then no server is asked for it.
local function is_numeric(host)
  return host:find "^[%d.]+$" ~= nil or host:find(":", 1, true) ~= nil
end

local function to_addresses(found)
  local list, seen = {}, {}
  for _, entry in ipairs(found) do
    if not seen[entry.addr] then
      seen[entry.addr] = true
      list[#list + 1] = {host = entry.addr, family = entry.family}
    end
  end
  return list
end

--- Finds the addresses of a host. Suspends, unless `host` is an address.
-- @function net.resolve
-- @tparam string host
-- @tparam[opt] table opts `family`: "inet" or "inet6" alone
-- @treturn table a list of `{host = address, family = }` in the system's order;
-- nil and an error of kind `io` with `code`: "EAI_NONAME", "EAI_AGAIN" ...
-- @raise cancelled
-- @usage local list, err = rille.net.resolve("localhost")
function M.resolve(host, opts)
  core.check(host, "string", "resolve", 1)
  local o = read_resolve(opts)
  core.checkpoint()
  local family = core.address_family(host)
  if family then return {{host = host, family = family}} end
  local hints = {socktype = "stream", family = o.family, numerichost = is_numeric(host)}
  local found, err = rille.uv_call(uv.getaddrinfo, host, nil, hints)
  if not found then return nil, core.io_error(err, "resolve " .. host) end
  return to_addresses(found)
end

local function is_port(port)
  return math.type(port) == "integer" and port >= 0 and port <= 65535
end

core.add_kind("port", "a port from 0 to 65535", is_port)

--- For the other files: a host and a port as one text.
function inner.address_text(host, port)
  return (host:find(":", 1, true) and "[%s]:%d" or "%s:%d"):format(host, port)
end

local function check_path(path, name)
  core.check(path, "string", name, 2)
  if path == "" or path:find("\0", 1, true) then
    core.arg_error(name, 2, "a path expected, not empty and without a zero byte")
  end
end

--- For the other files: checks the address of a call. Returns whether it is
-- that of a Unix socket, and its text.
function inner.check_address(host, port, name)
  core.check(host, "string", name, 1)
  if host == "unix" then
    check_path(port, name)
    return true, "unix " .. port
  end
  core.check(port, "port", name, 2)
  return false, inner.address_text(host, port)
end

--- For the other files: nil and an error if a Unix socket cannot have this path,
-- which libuv would cut; `what` is tried.
function inner.check_fits(path, what)
  if core.fits_unix(path) then return true end
  return nil, core.io_error("ENAMETOOLONG: the path of a socket is too long", what)
end

--- For the other files: puts addresses in the order of RFC 8305, 4: the
-- families take turns, the one that came first begins.
function inner.interleave(list)
  local by_family, order = {inet = {}, inet6 = {}}, {}
  for _, address in ipairs(list) do table.insert(by_family[address.family], address) end
  local first = list[1] and list[1].family == "inet" and 1 or 2
  local a, b = by_family[families[first]], by_family[families[3 - first]]
  for i = 1, math.max(#a, #b) do
    order[#order + 1] = a[i]
    order[#order + 1] = b[i]
  end
  return order
end

--- For the other files: the scope that what a call opens belongs to.
function inner.scope_of(scope)
  return scope or rille.root()
end

getmetatable(inner).__newindex = M

core.load "rille.net_connect"
core.load "rille.net_listen"
core.load "rille.net_udp"

rille.net = M
return M
