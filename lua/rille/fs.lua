--[[
fs.lua - the file system: one name of a file or directory at a time.

Each call is one request of libuv's, or a few; see fs_request.lua for what becomes
of it in a task that is cancelled. What goes through whole trees is in fs_tree.lua,
open files are in file.lua.
]]
local rille, core = ...

core.load "rille.file"

local uv = rille.uv()

local fs = {}

-- Rights of what is made, but for the umask.
local FILE_MODE <const> = tonumber("666", 8)
local DIRECTORY_MODE <const> = tonumber("777", 8)

local options = {
  read_file = core.options("read_file", 2, {max_size = {"count", math.huge}}),
  mkdir = core.options("mkdir", 2, {
    parents = {"boolean", false}, mode = {"rights", DIRECTORY_MODE},
  }),
}

local MODES = {
  r = true, ["r+"] = true, w = true, ["w+"] = true, a = true, ["a+"] = true,
  wx = true, ["wx+"] = true, ax = true, ["ax+"] = true,
}

--- Checks a path: libuv would cut it at a zero byte.
function core.check_path(path, name, argument)
  core.check(path, "string", name, argument or 1)
  if path:find("\0", 1, true) then
    core.arg_error(name, argument or 1, "a path cannot have a zero byte")
  end
end

-- A call of one path.
local function simple(name, fn)
  return function(path, ...)
    core.check_path(path, name)
    return core.request(path, nil, fn, path, ...)
  end
end

-- A call of two.
local function double(name, fn)
  return function(from, to)
    core.check_path(from, name, 1)
    core.check_path(to, name, 2)
    return core.request(from .. " -> " .. to, nil, fn, from, to)
  end
end

local function seconds(time)
  return time.sec + time.nsec / 1e9
end

--- What luv tells of a file, as we tell it.
function core.read_stat(stat, err)
  if not stat then return nil, err end
  return {
    type = stat.type, size = stat.size, mode = stat.mode & 0xFFF,
    uid = stat.uid, gid = stat.gid, links = stat.nlink, dev = stat.dev, ino = stat.ino,
    mtime = seconds(stat.mtime), atime = seconds(stat.atime), ctime = seconds(stat.ctime),
  }
end

local stat, lstat = simple("stat", uv.fs_stat), simple("lstat", uv.fs_lstat)

--- What the system knows of a file, behind any symbolic links. Suspends.
-- @function fs.stat
-- @tparam string path
-- @treturn table `type` ("file", "directory", "link", "fifo", "socket",
-- "char", "block"), `size` (bytes), `mode` (rights), `mtime`, `atime`, `ctime`
-- (seconds since 1970), `uid`, `gid`, `links`, `dev`, `ino`; nil and an error
-- of kind `io`
-- @raise cancelled
function fs.stat(path) return core.read_stat(stat(path)) end

--- The same, of a symbolic link itself. Suspends.
-- @function fs.lstat
-- @tparam string path
-- @treturn table
-- @raise cancelled
function fs.lstat(path) return core.read_stat(lstat(path)) end

--- Whether there is something under this name. Suspends.
-- @function fs.exists
-- @tparam string path
-- @treturn boolean nil and an error of kind `io` when that cannot be told
-- @raise cancelled
function fs.exists(path)
  core.check_path(path, "exists")
  local found, err = stat(path)
  if found then return true end
  if err.code == "ENOENT" or err.code == "ENOTDIR" then return false end
  return nil, err
end

local function open(path, flags, mode)
  local fd, err = core.request(path, uv.fs_close, uv.fs_open, path, flags, mode)
  if not fd then return nil, err end
  return core.new_file(fd, path, flags)
end

--- Opens a file. Suspends.
-- @function fs.open
-- @tparam string path
-- @tparam[opt="r"] string flags as for `io.open`, without "b"; "wx" and "ax"
-- fail where the file exists
-- @tparam[opt] integer mode the rights of a new file, but for the umask
-- (octal 666)
-- @return the file; nil and an error of kind `io`
-- @raise cancelled
-- @usage local file <close> = assert(rille.fs.open("app.log", "a"))
function fs.open(path, flags, mode)
  core.check_path(path, "open")
  flags = flags or "r"
  if not MODES[flags] then
    core.arg_error("open", 2, "one of r, r+, w, w+, a, a+, wx, wx+, ax, ax+ expected")
  end
  if mode ~= nil then core.check(mode, "rights", "open", 3) end
  return open(path, flags, mode or FILE_MODE)
end

--- Reads a whole file. Suspends.
-- @function fs.read_file
-- @tparam string path
-- @tparam[opt] table opts `max_size` (bytes; none)
-- @treturn string nil and an error of kind `io`, or `too_large`
-- @raise cancelled
function fs.read_file(path, opts)
  core.check_path(path, "read_file")
  local max = options.read_file(opts).max_size
  local file <close>, err = open(path, "r", 0)
  if not file then return nil, err end
  return file:read_all(max)
end

--- Iterates over the lines of a file. Each step may suspend; leaving the loop
-- closes the file.
-- @function fs.lines
-- @tparam string path
-- @tparam[opt] integer max bytes in a line, at most
-- @treturn function an iterator, and what `for` closes
-- @raise what `open` and `read` return as errors
-- @usage for line in rille.fs.lines("app.log") do print(line) end
function fs.lines(path, max)
  core.check_path(path, "lines")
  local file, err = fs.open(path)
  if not file then error(err, 0) end
  return file:lines(max), nil, nil, file
end

local function compare_names(a, b) return a.name < b.name end

--- What is in a directory, ordered by name. Suspends.
-- @function fs.readdir
-- @tparam string path
-- @treturn table a list of `{name=, type=}`, types as of `stat`; nil and an
-- error of kind `io`
-- @raise cancelled
function fs.readdir(path)
  core.check_path(path, "readdir")
  local found, err = core.request(path, nil, uv.fs_scandir, path)
  if not found then return nil, err end
  local list = {}
  for name, type in uv.fs_scandir_next, found do list[#list + 1] = {name = name, type = type} end
  table.sort(list, compare_names)
  return list
end

local function make_parents(path, mode)
  local ok, err = core.request(path, nil, uv.fs_mkdir, path, mode)
  if ok then return true end
  if err.code == "EEXIST" or err.code == "EISDIR" then
    local there = stat(path)
    if there and there.type == "directory" then return true end
    return nil, err
  end
  local parent = path:match "^(.*[^/])/+[^/]+/*$"
  if err.code ~= "ENOENT" or not parent then return nil, err end
  ok, err = make_parents(parent, mode)
  if not ok then return nil, err end
  ok, err = core.request(path, nil, uv.fs_mkdir, path, mode)
  if ok or err.code == "EEXIST" then return true end
  return nil, err
end

--- Makes a directory. Suspends.
-- @function fs.mkdir
-- @tparam string path
-- @tparam[opt] table opts `parents` (false): those above it, too, and no
-- failure where it is there; `mode` (octal 777, but for the umask)
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
function fs.mkdir(path, opts)
  core.check_path(path, "mkdir")
  local o = options.mkdir(opts)
  if o.parents then return make_parents(path, o.mode) end
  return core.request(path, nil, uv.fs_mkdir, path, o.mode)
end

--- Removes a file, or a symbolic link. Suspends.
-- @function fs.unlink
-- @tparam string path
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
fs.unlink = simple("unlink", uv.fs_unlink)

--- Removes an empty directory. Suspends.
-- @function fs.rmdir
-- @tparam string path
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
fs.rmdir = simple("rmdir", uv.fs_rmdir)

--- Gives a file or directory another name, in the same file system; replaces
-- a file that has it. Suspends.
-- @function fs.rename
-- @tparam string from
-- @tparam string to
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
fs.rename = double("rename", uv.fs_rename)

--- Makes a symbolic link `path` that says `target`. Suspends.
-- @function fs.symlink
-- @tparam string target
-- @tparam string path
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
fs.symlink = double("symlink", uv.fs_symlink)

--- Gives a file a second name. Suspends.
-- @function fs.link
-- @tparam string path
-- @tparam string new
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
fs.link = double("link", uv.fs_link)

--- What a symbolic link says. Suspends.
-- @function fs.readlink
-- @tparam string path
-- @treturn string nil and an error of kind `io`
-- @raise cancelled
fs.readlink = simple("readlink", uv.fs_readlink)

--- The whole path, without links, `.` and `..`. Suspends.
-- @function fs.realpath
-- @tparam string path
-- @treturn string nil and an error of kind `io`
-- @raise cancelled
fs.realpath = simple("realpath", uv.fs_realpath)

local chmod = simple("chmod", uv.fs_chmod)

--- Sets the rights. Suspends.
-- @function fs.chmod
-- @tparam string path
-- @tparam integer mode such as `tonumber("644", 8)`
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
function fs.chmod(path, mode)
  core.check(mode, "rights", "chmod", 2)
  return chmod(path, mode)
end

rille.fs = fs

core.load "rille.fs_tree"
core.load "rille.fs_save"
core.load "rille.fs_watch"

return fs
