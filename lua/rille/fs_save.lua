--[[
fs_save.lua - rille.fs.write_file and copy: all of it or nothing.

    realpath          what a symbolic link stands for is replaced, not the link
    open "wx"         a new file beside it: rename works in one directory only
    write, chmod      the rights of the old one
    fsync             if asked for
    rename            the one step that others see
    fsync             of the directory, if asked for

Whatever ends this before the rename, the new file is removed and the old one
is as it was. So a copy goes to a file of its own, too, where there is an old
one: libuv would remove that if it failed, whatever it is.
]]
local rille, core = ...

local fs, uv = rille.fs, rille.uv()

local TRIES <const> = 100 -- names in use, before there must be another reason

local read_options = core.options("write_file", 3, {
  atomic = {"boolean", true}, sync = {"boolean", false}, mode = "rights",
})

local function directory_of(path)
  return path:match "^(.*/)[^/]*$" or "./"
end

local made = 0 -- names so far

local function new_name(directory)
  made = made + 1
  return ("%s.rille-%x-%x-%x"):format(directory, uv.os_getpid(), uv.hrtime(), made)
end

-- Opens a file under a name that nobody has. Returns it; or nil, an error and the
-- name.
local function create(directory, mode)
  local fd, err, path
  for _ = 1, TRIES do
    path = new_name(directory)
    fd, err = core.request(path, function(opened)
      uv.fs_close(opened)
      uv.fs_unlink(path)
    end, uv.fs_open, path, "wx", mode)
    if fd then return core.new_file(fd, path, "w") end
    if err.code ~= "EEXIST" then break end
  end
  return nil, err, path
end

-- Removes the new file, unless it has become the old one's successor.
local function remover(path)
  local pending = {path = path}
  return pending, setmetatable({}, {__close = function()
    if pending.path then rille.shield(fs.unlink, pending.path) end
  end})
end

-- An error that names the new file, as one of the path that was given.
local function about(err, name, path)
  local from, to = err.message:find(name, 1, true)
  if not from then return err end
  local rest = err.message:sub(to + 1):gsub("^ %-> .*( %(%w+%))$", "%1")
  return core.error("io", err.message:sub(1, from - 1) .. path .. rest, {code = err.code})
end

local function fill(file, data, o, old)
  local ok, err = file:write(data)
  if ok and (o.mode or old) then ok, err = file:chmod(o.mode or old.mode) end
  if ok and o.sync then ok, err = file:sync() end
  if ok then ok, err = file:close() end
  return ok, err
end

local function sync_directory(path)
  local directory <close>, err = fs.open(path)
  if not directory then return nil, err end
  return directory:sync()
end

local function overwrite(path, data, o)
  local file <close>, err = fs.open(path, "w", o.mode)
  if not file then return nil, err end
  return fill(file, data, {sync = o.sync})
end

local function replace(path, data, o)
  path = fs.realpath(path) or path
  local old = fs.stat(path)
  if old and old.type ~= "file" then return overwrite(path, data, o) end
  local directory = directory_of(path)
  local file <close>, err, name = create(directory, o.mode or tonumber("666", 8))
  if not file then return nil, about(err, name, path) end
  local pending, _ <close> = remover(file:path())
  local ok, failed = fill(file, data, o, old)
  if ok then ok, failed = fs.rename(file:path(), path) end
  if not ok then return nil, about(failed, file:path(), path) end
  pending.path = nil
  if o.sync then return sync_directory(directory) end
  return true
end

--- Writes a whole file. Others see the old one or the new one, never a part;
-- if it fails or is cancelled, the old one is as it was. Suspends.
-- @function fs.write_file
-- @tparam string path
-- @tparam string|table data a string, or a list of strings
-- @tparam[opt] table opts `atomic` (true; false writes into the file that is
-- there, as one with several names may need; so does a device), `sync` (false:
-- waits until the disk has it), `mode` (rights; those of the old file, else
-- octal 666 but for the umask)
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
-- @usage assert(rille.fs.write_file("state.json", text, {sync = true}))
function fs.write_file(path, data, opts)
  core.check_path(path, "write_file")
  local o = read_options(opts)
  data = core.check_data(data, "write_file", 2)
  return (o.atomic and replace or overwrite)(path, data, o)
end

local read_copy = core.options("copy", 3, {overwrite = {"boolean", true}})

local function copy_new(from, to)
  return core.request(from .. " -> " .. to, nil, uv.fs_copyfile, from, to, {excl = true})
end

-- Why a copy cannot take the place of this, or nil.
local function bad_place(old, path)
  if not old or old.type == "file" then return nil end
  if old.type == "directory" then return core.io_error("EISDIR: is a directory", path) end
  return core.io_error("EINVAL: not a file, but a " .. old.type, path)
end

local function copy_over(from, to)
  local path = fs.realpath(to) or to
  local wrong = bad_place(fs.stat(path), path)
  if wrong then return nil, wrong end
  local name = new_name(directory_of(path))
  local pending, _ <close> = remover(name)
  local ok, err = copy_new(from, name)
  if ok then ok, err = fs.rename(name, path) end
  if not ok then return nil, about(err, name, path) end
  pending.path = nil
  return true
end

--- Copies a file, with its rights. Suspends. Others see the old file or the whole
-- copy; one that fails leaves nothing, and the old file as it was.
-- @function fs.copy
-- @tparam string from
-- @tparam string to a file, or what does not exist yet
-- @tparam[opt] table opts `overwrite` (true): else it fails where `to` exists
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
function fs.copy(from, to, opts)
  core.check_path(from, "copy", 1)
  core.check_path(to, "copy", 2)
  local o = read_copy(opts)
  local ok, err = copy_new(from, to)
  if ok or err.code ~= "EEXIST" or not o.overwrite then return ok, err end
  return copy_over(from, to)
end
