--[[
fs_watch.lua - rille.fs.watch: changes of files, as they happen.
]]
local rille, core = ...

local fs, uv = rille.fs, rille.uv()

local read_options = core.options("watch", 2, {buffer = {"size", 64}})

-- What a callback of luv gives to an inlet that may have been forgotten.
local function deliver(weak, is_directory, path)
  return function(err, name, events)
    local inlet = weak[1]
    if not inlet then return end
    if err then return core.inlet_end(inlet, core.io_error(err, path)) end
    core.inlet_put(inlet, {
      kind = events.rename and "rename" or "change", name = name,
      path = is_directory and name and core.join_path(path, name) or path,
    })
  end
end

--- Watches a file, or the files of a directory. Suspends.
-- @function fs.watch
-- @tparam string path a directory tells of what is in it, not below that; a
-- file is watched itself, so its successor of the same name is not
-- @tparam[opt] table opts `buffer` (events kept, 64: beyond, the oldest are
-- dropped, and counted)
-- @return an inlet of `{kind=, name=, path=}`: kind is "change" or "rename" (it
-- has come, gone or got another name); nil and an error of kind `io`
-- @raise cancelled
-- @usage local changes <close> = assert(rille.fs.watch("conf.d"))
-- for change in changes do reload(change.path) end
function fs.watch(path, opts)
  core.check_path(path, "watch")
  local o = read_options(opts)
  local stat, err = fs.stat(path)
  if not stat then return nil, err end
  local handle, weak = uv.new_fs_event(), setmetatable({}, {__mode = "v"})
  local ok, failed = handle:start(path, {}, deliver(weak, stat.type == "directory", path))
  if not ok then
    handle:close()
    return nil, core.io_error(failed, path)
  end
  handle:unref()
  local inlet = core.inlet("watch: " .. path, math.min(o.buffer, 0x7fffffff), "drop_oldest",
    function()
      if not handle:is_closing() then handle:close() end
    end)
  weak[1] = inlet
  return inlet
end
