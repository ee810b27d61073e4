--[[
tty.lua - the terminal.
]]
local rille, core = ...

core.load "rille.uv"

local uv = rille.uv()

local tty = {}

local function check_fd(fd, name)
  if fd == nil then return end
  if math.type(fd) ~= "integer" or fd < 0 then
    core.arg_error(name, 1, "a descriptor expected: 0, 1 or 2")
  end
end

--- Whether a descriptor is a terminal. Never suspends.
-- @function tty.is_tty
-- @tparam[opt=1] integer fd 0, 1 or 2
-- @treturn boolean
-- @usage if rille.tty.is_tty() then print "\27[1mbold\27[0m" end
function tty.is_tty(fd)
  check_fd(fd, "is_tty")
  return uv.guess_handle(fd or 1) == "tty"
end

-- The first of the standard descriptors that is a terminal.
local function find_terminal()
  for _, fd in ipairs{1, 2, 0} do
    if tty.is_tty(fd) then return fd end
  end
end

--- The size of the terminal. Never suspends. `rille.signal "sigwinch"` tells
-- when it changes.
-- @function tty.size
-- @tparam[opt] integer fd 0, 1 or 2; else the first of 1, 2 and 0 that is a
-- terminal
-- @treturn integer columns; nil and an error of kind `io` where there is no
-- terminal
-- @treturn integer rows
-- @usage local columns, rows = rille.tty.size()
function tty.size(fd)
  check_fd(fd, "size")
  fd = fd or find_terminal()
  if not fd or not tty.is_tty(fd) then
    return nil, core.io_error("ENOTTY: not a terminal")
  end
  local handle, err = uv.new_tty(fd, false)
  if not handle then return nil, core.io_error(err) end
  local columns, rows = handle:get_winsize()
  handle:close()
  if not columns then return nil, core.io_error(rows) end
  return columns, rows
end

rille.tty = tty

return tty
