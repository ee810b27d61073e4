--[[
fs_tree.lua - rille.fs: whole trees of directories, and temporary things.

A walk keeps one list for each level that it is in, never the whole tree.
Symbolic links are not followed, so there are no cycles, and nothing outside
the tree is removed.
]]
local rille, core = ...

local fs, uv = rille.fs, rille.uv()

local options = {
  walk = core.options("walk", 2, {max_depth = {"size", math.huge}, on_error = "function"}),
  remove = core.options("remove", 2, {recursive = {"boolean", false}}),
  temp_dir = core.options("temp_dir", 1, {dir = "string", prefix = {"string", "rille-"}}),
  temp_file = core.options("temp_file", 1, {dir = "string", prefix = {"string", "rille-"}}),
}

local function join(directory, name)
  return directory:sub(-1) == "/" and directory .. name or directory .. "/" .. name
end

core.join_path = join

-- Goes down into a directory.
local function enter(levels, path, on_error)
  local list, err = fs.readdir(path)
  if not list and not on_error then error(err, 0) end
  if not list then return on_error(err, path) end
  levels[#levels + 1] = {path = path, list = list, at = 0}
end

-- The next entry of the innermost level that has one.
local function next_entry(levels)
  while levels[1] do
    local level = levels[#levels]
    level.at = level.at + 1
    local entry = level.list[level.at]
    if entry then
      entry.depth = #levels
      return join(level.path, entry.name), entry
    end
    levels[#levels] = nil
  end
end

--- Iterates over a tree: a directory's entries by name, each directory before
-- what is in it. Symbolic links are not followed. Each step may suspend.
-- @function fs.walk
-- @tparam string path a directory, itself not among what comes
-- @tparam[opt] table opts `max_depth` (levels; none), `on_error`
-- (function(err, path): a directory that cannot be read is passed over)
-- @treturn function an iterator: the path, and `{name=, type=, depth=}`; set
-- its `skip` in the loop to stay out of a directory
-- @raise without `on_error`, an error of kind `io`; cancelled
-- @usage for path, entry in rille.fs.walk("src") do print(entry.depth, path) end
function fs.walk(path, opts)
  core.check_path(path, "walk")
  local o = options.walk(opts)
  local levels, at, last = {}, path, {type = "directory", depth = 0}
  return function()
    if last and last.type == "directory" and last.depth < o.max_depth and not last.skip then
      enter(levels, at, o.on_error)
    end
    at, last = next_entry(levels)
    return at, last
  end
end

local function remove_tree(path, type)
  if type ~= "directory" then return fs.unlink(path) end
  local list, err = fs.readdir(path)
  if not list then return nil, err end
  for _, entry in ipairs(list) do
    local ok, failed = remove_tree(join(path, entry.name), entry.type)
    if not ok then return nil, failed end
  end
  return fs.rmdir(path)
end

--- Removes a file, a symbolic link or a directory. Suspends.
-- @function fs.remove
-- @tparam string path
-- @tparam[opt] table opts `recursive` (false): a directory with all in it
-- @treturn boolean true; nil and an error of kind `io`
-- @raise cancelled
function fs.remove(path, opts)
  core.check_path(path, "remove")
  local o = options.remove(opts)
  local stat, err = fs.lstat(path)
  if not stat then return nil, err end
  if o.recursive then return remove_tree(path, stat.type) end
  return (stat.type == "directory" and fs.rmdir or fs.unlink)(path)
end

local function template(name, opts)
  local o = options[name](opts)
  core.check_path(o.prefix, name)
  core.check_path(o.dir or "", name)
  return join(o.dir or uv.os_tmpdir(), o.prefix .. "XXXXXX")
end

local methods = {}

local new, state_of, meta = core.class("temp_dir", methods, function(state)
  return ("%s (%s)"):format(state.path, state.removed and "removed" or "there")
end)

--- @function temp_dir:path
-- @treturn string
function methods.path(dir)
  return state_of(dir, "path").path
end

--- Removes it and all that is in it; also in a task that is cancelled.
-- Suspends; idempotent. `<close>` does so too.
-- @function temp_dir:close
-- @treturn boolean true; nil and an error of kind `io`
function methods.close(dir)
  local state = state_of(dir, "close")
  if state.removed then return true end
  state.removed = true
  return rille.shield(remove_tree, state.path, "directory")
end

function meta.__close(dir) methods.close(dir) end

--- Makes a directory that is removed when it is closed. Suspends.
-- @function fs.temp_dir
-- @tparam[opt] table opts `dir` (where; the system's place for such), `prefix`
-- (of its name; "rille-")
-- @return the directory: `path`, `close`, `<close>`; nil and an error of kind
-- `io`
-- @raise cancelled
-- @usage local dir <close> = assert(rille.fs.temp_dir())
function fs.temp_dir(opts)
  local path, err = core.request("a temporary directory", uv.fs_rmdir, uv.fs_mkdtemp,
    template("temp_dir", opts))
  if not path then return nil, err end
  return new{path = path}
end

local function discard(fd, path)
  uv.fs_close(fd)
  uv.fs_unlink(path)
end

--- Makes a file, open for reading and writing, that is removed when it is
-- closed. Suspends.
-- @function fs.temp_file
-- @tparam[opt] table opts `dir`, `prefix`, as of `temp_dir`
-- @return the file, with `path`; nil and an error of kind `io`
-- @raise cancelled
function fs.temp_file(opts)
  local pattern = template("temp_file", opts)
  local fd, path = core.request("a temporary file " .. pattern, discard, uv.fs_mkstemp, pattern)
  if not fd then return nil, path end
  return core.make_temporary(core.new_file(fd, path, "w+"))
end
