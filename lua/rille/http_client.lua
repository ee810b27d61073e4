--[[
http_client.lua - HTTP clients, and the default one.

A client is a pool of connections, with options that hold for each of its
requests unless the request has its own. What this file does is to check them.
]]
local rille, core = ...

local http = core.http
core.load "rille.common"
local exchange = core.load "rille.http_exchange"

core.ignore_default(13) -- SIGPIPE, whose number is the same everywhere; luv need not be there

local methods = {}

-- state: {pool=, opts=, closed=}
local new, state_of, meta = core.class("http_client", methods, function(state)
  local running = state.pool:stats()
  return state.closed and "closed" or ("%d running"):format(running)
end)

-- Options of requests and of clients; and of one or the other only.
local shared = {
  headers = "any", timeout = "seconds", redirects = "count|boolean", verify = "boolean",
  proxy = "string|off", max_body = "count", max_head = "workers", decompress = "boolean",
  fail = "boolean", version = "'1.1'|'2'", ca_file = "string", ca_path = "string",
  cert_file = "string", key_file = "string",
}

local of_requests = {method = "string", body = "any", stream = "boolean", scope = "scope"}

local of_clients = {max_connections = {"size", math.huge}, max_per_host = {"size", math.huge}}

local defaults = {
  redirects = 10, verify = true, max_body = 64 * 1024 * 1024, max_head = 256 * 1024,
  decompress = true, fail = false,
}

-- What goes to libcurl as a C string.
local texts = {"proxy", "ca_file", "ca_path", "cert_file", "key_file"}

local function union(a, b)
  local all = {}
  for key, kind in pairs(a) do all[key] = kind end
  for key, kind in pairs(b) do all[key] = kind end
  return all
end

-- Checks what the kinds of options do not. Changes `o`.
local function check_shared(o, name, argument)
  for _, key in ipairs(texts) do
    if o[key] and o[key]:find "%c" then
      core.arg_error(name, argument, ("option '%s': a control character in it"):format(key))
    end
  end
  if o.redirects == true then o.redirects = 10 end
  if o.redirects == false then o.redirects = 0 end
  if o.proxy == false then o.proxy = "" end
  o.headers = core.headers(o.headers, name, argument)
  if o.headers:get "transfer-encoding" then
    core.arg_error(name, argument, "option 'headers': Transfer-Encoding is the client's business")
  end
  return o
end

-- The headers of a client, and in their places those of a request.
local function merge_headers(base, own)
  local headers, seen = core.headers(base), {}
  for name in own:pairs() do
    local key = name:lower()
    if not seen[key] then headers:set(name, own:all(name)) end
    seen[key] = true
  end
  return headers
end

-- Calls `object` as a generic `for` does, which a stream wants.
local function iterating(object)
  local last
  return function()
    local value, err = object(nil, last)
    last = value
    return value, err
  end
end

local function is_callable(object)
  local meta_of = getmetatable(object)
  return type(object) == "function" or meta_of == "rille.stream"
    or type(meta_of) == "table" and meta_of.__call ~= nil
end

-- A function that brings the next piece of the body, or nil if that is none.
local function puller(body)
  for _, name in ipairs{"recv", "read"} do
    local ok, method = pcall(function() return body[name] end)
    if ok and type(method) == "function" then return function() return method(body) end end
  end
  return is_callable(body) and iterating(body) or nil
end

-- Methods whose requests have a body, if only an empty one.
local with_body = {POST = true, PUT = true, PATCH = true}

local function set_body(request, body, name, argument)
  if body == nil then
    request.body = with_body[request.method] and "" or nil
    return
  end
  if request.method == "HEAD" then core.arg_error(name, argument, "HEAD has no body") end
  if type(body) == "table" and getmetatable(body) == nil and type(body[1]) == "string" then
    body = core.check_data(body, name, argument)
  end
  if type(body) == "string" then
    request.body = body
    return
  end
  request.pull = puller(body)
  if not request.pull then
    core.arg_error(name, argument,
      "option 'body': a string, a list of strings, a function or an object with recv or read "
        .. "expected, got "
      .. type(body))
  end
end

local function check_method(method, name, argument)
  local wrong = core.bad_token(method)
  if wrong then core.arg_error(name, argument, "option 'method': " .. wrong) end
  return method:upper()
end

local function check_url(client, url, name, argument)
  local function refuse(why)
    local shown = url:gsub("%c", "?")
    core.arg_error(name, argument, ("a URL expected, got '%s': %s"):format(shown, why))
  end
  if url:find "[%c ]" then refuse "it has a blank or a control character in it" end
  local whole, scheme = core.curl_url(client.pool, url)
  if not whole then refuse(scheme) end
  if scheme ~= "http" and scheme ~= "https" then refuse "neither http nor https" end
end

-- Reads the options of a request. `o` becomes the request's and the client's.
local function new_request(client, method, url, o, name, argument)
  check_shared(o, name, argument)
  local request = {opts = o, url = url, method = check_method(o.method or method, name, argument)}
  request.headers = merge_headers(client.opts.headers, o.headers)
  for key in pairs(shared) do
    if o[key] == nil then o[key] = client.opts[key] end
  end
  set_body(request, o.body, name, argument)
  request.scope = core.innermost_scope(name)
  return request
end

local function run(client, request)
  core.checkpoint()
  if client.closed then return nil, core.error("closed", "the HTTP client is closed") end
  return exchange.run(client, request)
end

-- Readers of options are made when they are first needed.
local function reader_of(name, argument, kinds)
  local read
  return function(opts)
    read = read or core.options(name, argument, kinds)
    return read(opts)
  end
end

-- The two functions of an HTTP method: fn(url, opts), and as a client's.
local default

local function define(word)
  local method, kinds = word:upper(), union(shared, of_requests)
  local function caller(name)
    local read = reader_of(name, 2, kinds)
    return function(client, url, opts)
      core.check(url, "string", name, 1)
      local o = read(opts)
      check_url(client, url, name, 1)
      return run(client, new_request(client, method, url, o, name, 2))
    end
  end
  local own, general = caller("http_client:" .. word), caller("http." .. word)
  methods[word] = function(client, url, opts) return own(state_of(client, word), url, opts) end
  return function(url, opts) return general(default(), url, opts) end
end

local kinds_of_request = union({url = "string"}, union(shared, of_requests))

local function requester(name)
  local read = reader_of(name, 1, kinds_of_request)
  return function(client, opts)
    core.check(opts, "table", name, 1)
    local o = read(opts)
    if not o.url then core.arg_error(name, 1, "option 'url': a string expected, got nil") end
    check_url(client, o.url, name, 1)
    return run(client, new_request(client, "GET", o.url, o, name, 1))
  end
end

local function limit(count)
  return count < 2 ^ 31 and math.tointeger(count) or 0
end

local read_client = core.options("http.client", 1, union(shared, of_clients))

local function new_client(opts)
  local o = check_shared(read_client(opts), "http.client", 1)
  for key, value in pairs(defaults) do
    if o[key] == nil then o[key] = value end
  end
  if not o.headers:get "user-agent" then o.headers:set("User-Agent", "rille/" .. rille.version) end
  return {pool = core.curl_pool(limit(o.max_connections), limit(o.max_per_host)), opts = o,
    closed = false}
end

-- The state of the default client, which is made when it is first needed.
function default()
  core.http_default = core.http_default or new_client()
  return core.http_default
end

--- HTTP clients.
-- @type http_client

--- Makes a client: connections that are kept, and options for all its
-- requests. Never suspends.
-- @function http.client
-- @tparam[opt] table opts those of `http.request` but for `url`, `method`,
-- `body`, `stream` and `scope`; and `max_connections` (math.huge; more requests
-- wait), `max_per_host` (math.huge)
-- @treturn http_client
-- @usage local api <close> = rille.http.client{headers = {Accept = "text/html"}, timeout = 5}
function http.client(opts)
  return new(new_client(opts))
end

--- Makes a request, and waits for the response. Suspends the calling task
-- alone; obeys its deadlines and cancellation: then the connection is closed.
-- @function http.request
-- @tparam table opts `url`; `method` ("GET"); `headers` (name = value or a list
-- of values, or a list of `{name, value}`); `body` (a string, a list of strings,
-- or what gives the pieces: a function, or an object with `recv` or `read`);
-- `timeout` (seconds, for all of it; with `stream` until the head has come);
-- `redirects` (10; false: none); `stream` (false: the body is a string); `scope`
-- (what a streamed body is closed with; the root); `max_body` (64 MiB, of a body
-- that is a string); `max_head` (256 KiB); `fail` (false: a status from 400 is a
-- response);
-- `decompress` (true); `verify` (true); `ca_file`, `ca_path`, `cert_file`,
-- `key_file`; `proxy` (a URL; false: none; else as the environment says);
-- `version` ("1.1"; else 2 over TLS, where both have it)
-- @treturn table `status`, `reason`, `headers`, `body` (a string, or an
-- http_body), `url` (after redirections), `version`, `retry_after` (seconds, of
-- 429 and 503); or nil and an error of kind `resolve`, `connect`, `tls`,
-- `timeout`, `protocol`, `too_large`, `closed`, or `status` with `fail`
-- @raise cancelled; for bad options
-- @usage local r = assert(rille.http.request{url = "https://example.org", timeout = 5})
local request = requester "http.request"

function http.request(opts) return request(default(), opts) end

local own_request = requester "http_client:request"

--- The same as `http.request`, with the connections and the options of this
-- client. So are `get`, `head`, `post`, `put`, `patch` and `delete`.
-- @function http_client:request
-- @tparam table opts
-- @treturn table the response; or nil and an error
-- @raise cancelled; for bad options
function methods.request(client, opts)
  return own_request(state_of(client, "request"), opts)
end

--- A GET request: see `http.request`.
-- @function http.get
-- @tparam string url
-- @tparam[opt] table opts
-- @treturn table the response; or nil and an error
-- @raise as `http.request`
-- @usage local page, err = rille.http.get("https://example.org", {timeout = 5})
http.get = define "get"

--- A HEAD request: see `http.get`.
-- @function http.head
http.head = define "head"

--- A POST request: see `http.get`.
-- @function http.post
-- @usage rille.http.post(url, {body = "a=1", headers = {
--   ["Content-Type"] = "application/x-www-form-urlencoded"}})
http.post = define "post"

--- A PUT request: see `http.get`.
-- @function http.put
http.put = define "put"

--- A PATCH request: see `http.get`.
-- @function http.patch
http.patch = define "patch"

--- A DELETE request: see `http.get`.
-- @function http.delete
http.delete = define "delete"

--- Closes the client: its connections, and what runs on them, which fails with
-- kind `closed`; a body half read fails with kind `protocol`. Never suspends;
-- idempotent; `<close>`, the end of the engine and the garbage collector do it.
-- @function http_client:close
function methods.close(client)
  local state = state_of(client, "close")
  state.closed = true
  state.pool:close()
end

meta.__close = methods.close

--- Whether `close` was called. Never suspends.
-- @function http_client:is_closed
-- @treturn boolean
function methods.is_closed(client) return state_of(client, "is_closed").closed end

--- Never suspends.
-- @function http_client:stats
-- @treturn table `running` (transfers now), `requests` (transfers in all, one
-- for each redirection too), `connects` (connections that were made for those
-- that have ended), `closed`
function methods.stats(client)
  local state = state_of(client, "stats")
  local running, made, connects = state.pool:stats()
  return {running = running, requests = made, connects = connects, closed = state.closed}
end
