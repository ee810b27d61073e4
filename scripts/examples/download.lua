-- A download that is cancelled half way leaves nothing behind.
--
-- A server sends a file without end. The download goes to disk piece by piece,
-- no faster than the disk takes it, until a second task has seen enough and
-- cancels it: the connection is closed, the half of a file is removed, and no
-- descriptor is left open, which is counted. Then a whole one is fetched.
local rille = require "rille"
local http, fs = rille.http, rille.fs

local ENOUGH = 1000000 -- bytes

local function descriptors()
  return #assert(fs.readdir "/proc/self/fd")
end

-- Sends pieces for ever, or a whole file for "/small".
local function serve(conn)
  local path = conn:read_until("\r\n\r\n"):match "^GET (%S+)"
  if path == "/small" then
    conn:write "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nsmall"
    return
  end
  conn:write "HTTP/1.1 200 OK\r\n\r\n"
  local piece = ("x"):rep(65536)
  while conn:write(piece) do end
end

-- Fetches `url` into the file `path`; tells each size that it has reached. What
-- it has begun and not finished is removed.
local function download(client, url, path, on_progress)
  local done = false
  local _ <close> = setmetatable({}, {__close = function()
    if not done then fs.remove(path) end
  end})
  local response <close> = assert(client:get(url, {stream = true, fail = true}))
  local file <close> = assert(fs.open(path, "w"))
  local size = 0
  for piece in response.body do
    assert(file:write(piece))
    size = size + #piece
    if on_progress then on_progress(size) end
  end
  done = true
  return size
end

-- Starts a download and cancels it when enough of it is there.
local function cancel_half_way(client, url, path)
  local sizes = rille.channel(1, {overflow = "drop_oldest"})
  return rille.scope(function(s)
    local task = s:task(function()
      return download(client, url, path, function(size) sizes:try_send(size) end)
    end)
    for size in sizes do
      if size >= ENOUGH then break end
    end
    task:cancel "seen enough"
    return task:await()
  end)
end

rille.scope(function()
  local dir <close> = assert(fs.temp_dir())
  local listener <close> = assert(rille.net.listen("127.0.0.1", 0, serve))
  local url, path = ("http://127.0.0.1:%d/"):format(listener:port()), dir:path() .. "/file"
  local client <close> = http.client()
  local before = descriptors()

  print("cancelled:", select(2, cancel_half_way(client, url, path)).kind)
  while listener:stats().active > 0 do rille.sleep(0.001) end -- its end of the connection
  print("running:", client:stats().running)
  print("descriptors left open:", descriptors() - before)
  print("half a file left:", fs.exists(path))

  print("a whole one:", download(client, url .. "small", path), assert(fs.read_file(path)))
end)

-- expect: cancelled:	cancelled
-- expect: running:	0
-- expect: descriptors left open:	0
-- expect: half a file left:	false
-- expect: a whole one:	5	small
