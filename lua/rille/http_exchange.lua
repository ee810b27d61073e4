--[[
http_exchange.lua - a request and its response, over as many transfers as there
are redirections.

    run(client, request)
      follow       as long as a response names another place
        exchange   one transfer: send, wait for the head, take the body

What is redirected goes on as browsers and RFC 9110, 15.4 have it: 303 becomes a
GET, a POST does so for 301 and 302 too, 307 and 308 send all of it again. To
another origin no credentials are sent.

    request = {method=, url=, headers=, body=, pull=, scope=, opts=}
]]
local rille, core = ...

core.load "rille.retry_after"
local bodies = core.load "rille.http_body"

local M = {}

local SLICE = 65536   -- bytes of a request's body that are handed over at once
local SMALL = 16384   -- bytes of a redirection's body that are read to its end

local redirections = {[301] = true, [302] = true, [303] = true, [307] = true, [308] = true}

-- What is said of a request in messages: no user name, no password.
local function label_of(target)
  return target.method .. " " .. target.url:gsub("^(%a+://)[^/?#]*@", "%1")
end

-- Sending --------------------------------------------------------------------

local function send(transfer, chunk)
  for at = 1, #chunk, SLICE do
    if not transfer:send(chunk:sub(at, at + SLICE - 1)) then return false end
  end
  return true
end

local function misuse(...)
  error("the body of the request " .. (...):format(select(2, ...)), 0)
end

-- The next piece, or nil at the end.
local function next_piece(pull)
  local piece, err = pull()
  if piece == nil and err ~= nil and not rille.is_error(err, "closed") then error(err, 0) end
  if piece ~= nil and type(piece) ~= "string" then
    misuse("must give strings, it gave a %s", type(piece))
  end
  return piece
end

-- `size`: how many bytes are announced, or nil.
local function send_all(transfer, pull, size)
  local sent = 0
  for piece in next_piece, pull do
    sent = sent + #piece
    if size and sent > size then misuse("has more than %d bytes", size) end
    if not send(transfer, piece) then return end
  end
  if size and sent < size then misuse("has %d bytes of %d", sent, size) end
  transfer:sent()
end

-- The task that sends the body of a request. Its failure is the request's.
local function pump(state, pull, size)
  local ok, err = xpcall(send_all, core.note_traceback, state.transfer, pull, size)
  if ok then return end
  if err == nil then err = core.error("invalid", "the body of the request raised nil") end
  state.failure = {err}
  state.transfer:abort()
  if rille.is_cancellation(err) then error(err, 0) end
end

local function header_lines(target)
  local lines = {"Expect:"} -- no waiting for "100 Continue"
  for name, value in target.headers:pairs() do
    if name:lower() ~= "content-length" then
      lines[#lines + 1] = value:find "%S" and name .. ": " .. value or name .. ";"
    end
  end
  if target.body and not target.headers:get "content-type" then
    lines[#lines + 1] = "Content-Type:"
  end
  return lines
end

-- Whether a compressed body is asked for: not where there is none, nor where a
-- part of it is wanted, which could not be unpacked.
local function unpacks(request, target)
  return request.opts.decompress and target.method ~= "HEAD" and not target.headers:get "range"
end

-- Begins a transfer. Returns its state; or nil and an error.
local function start(client, request, target)
  local o, label = request.opts, label_of(target)
  local size = math.tointeger(tonumber(target.headers:get "content-length"))
  local transfer = core.curl_start(client.pool, {
    label = label, url = target.url, method = target.method, headers = header_lines(target),
    body = target.body, upload = target.pull and (size or -1), proxy = o.proxy or nil,
    verify = o.verify, ca_file = o.ca_file, ca_path = o.ca_path, cert_file = o.cert_file,
    key_file = o.key_file, decompress = unpacks(request, target), version = o.version,
    max_head = o.max_head,
  })
  if not transfer then return nil, core.error("closed", label .. ": the client is closed") end
  local state = bodies.state(transfer, label)
  state.client = client -- whose connections it needs
  if target.pull then
    state.pump = request.scope:go({name = label, daemon = true}, pump, state, target.pull,
      size)
  end
  return state
end

-- Receiving ------------------------------------------------------------------

-- The fields of a head, and what the status line says. A line that begins with
-- a blank continues the one before.
local function read_head(text)
  local version, reason, list = nil, "", {}
  for line in text:gmatch "[^\r\n]+" do
    local name, value = line:match "^([^:%s][^:]-)%s*:%s*(.-)%s*$"
    if not version then
      version, reason = line:match "^HTTP/([%d.]+) +%d+ *(.-)%s*$"
      version = version or ""
    elseif name then
      list[#list + 1] = {name, value}
    elseif list[1] and line:find "^%s" then
      list[#list][2] = list[#list][2] .. " " .. line:match "^%s*(.-)%s*$"
    end
  end
  return list, version, reason or ""
end

local response_meta = {__name = "rille.http_response", __metatable = "rille.http_response"}

function response_meta.__tostring(response)
  return ("rille.http_response: %d %s"):format(response.status, response.url)
end

function response_meta.__close(response)
  if type(response.body) ~= "string" then response.body:close() end
end

local function new_response(status, text, request, target)
  local list, version, reason = read_head(text)
  local headers = core.received_headers(list)
  if unpacks(request, target) and headers:get "content-encoding" then
    headers:set("content-encoding", nil)
    headers:set("content-length", nil)
  end
  local response = {status = status, reason = reason, version = version, headers = headers,
    url = target.url}
  if status == 429 or status == 503 then response.retry_after = core.retry_after(headers) end
  return setmetatable(response, response_meta)
end

-- Reads what is left of a body that nobody wants, if it is little: then the
-- connection can be used again.
local function drain(state)
  local size = 0
  for piece in state.reader.fill do
    size = size + #piece
    if size > SMALL then return end
  end
end

local function take_body(state, response, request, target)
  local o = request.opts
  if o.stream then
    response.body = bodies.new(state, o.scope or rille.root())
    return response
  end
  local length = tonumber(response.headers:get "content-length")
  if length and length > o.max_body and target.method ~= "HEAD" then
    return nil, bodies.too_large(state, o.max_body)
  end
  local body, err = bodies.collect(state, o.max_body)
  if not body then return nil, err end
  response.body = body
  return response
end

-- Redirections ---------------------------------------------------------------

local function refuse(target, why)
  return nil, core.error("protocol", ("%s: %s"):format(label_of(target), why))
end

-- The headers for another place.
local function redirect_headers(target, same_origin, keeps_body)
  local headers = core.headers(target.headers)
  if not same_origin then
    for _, name in ipairs{"Authorization", "Cookie", "Host"} do headers:set(name, nil) end
  end
  if not keeps_body then
    for _, name in ipairs{"Content-Type", "Content-Length", "Content-Encoding"} do
      headers:set(name, nil)
    end
  end
  return headers
end

-- Where a response leads: the next target, or nil and an error.
local function next_target(client, target, response, location)
  local url, scheme, host, port = core.curl_url(client.pool, target.url, location)
  if not url or scheme ~= "http" and scheme ~= "https" then
    return refuse(target, ("redirected to '%s', which is no URL of HTTP"):format(location))
  end
  local status, method = response.status, target.method
  local becomes_get = status == 303 and method ~= "HEAD"
    or (status == 301 or status == 302) and method == "POST"
  if target.pull and not becomes_get then
    return refuse(target, "redirected, and its body cannot be sent again")
  end
  local _, old_scheme, old_host, old_port = core.curl_url(client.pool, target.url)
  local same = scheme == old_scheme and host == old_host and port == old_port
  return {
    url = url, method = becomes_get and "GET" or method,
    body = not becomes_get and target.body or nil,
    headers = redirect_headers(target, same, not becomes_get), hops = target.hops + 1,
  }
end

-- One transfer. Returns the response; or nil and an error; or nil, nil and the
-- next target.
local function exchange(client, request, target)
  local state <close>, refusal = start(client, request, target)
  if not state then return nil, refusal end
  local status, text = state.transfer:head()
  if not status then return nil, state.failure and state.failure[1] or text end
  -- An answer that is not what was hoped for, perhaps before all was sent: the
  -- rest is not wanted, and must not be waited for.
  if target.pull and status >= 300 then state.transfer:sent() end
  local response = new_response(status, text, request, target)
  local location = redirections[status] and response.headers:get "location"
  if not location or request.opts.redirects == 0 then
    return take_body(state, response, request, target)
  end
  if target.hops >= request.opts.redirects then
    return refuse(target, ("more than %d redirections"):format(target.hops))
  end
  local target_then, err = next_target(client, target, response, location)
  if not target_then then return nil, err end
  drain(state)
  return nil, nil, target_then
end

local function follow(client, request)
  local target = {url = request.url, method = request.method, headers = request.headers,
    body = request.body, pull = request.pull, hops = 0}
  while true do
    local response, err, target_then = exchange(client, request, target)
    if not target_then then return response, err end
    target = target_then
  end
end

-- The whole --------------------------------------------------------------------

local function follow_in_time(client, request)
  local ended
  local response, err = rille.timeout(request.opts.timeout, function()
    local response, err = follow(client, request)
    ended = true
    return response, err
  end)
  if ended then return response, err end
  return nil, core.error("timeout",
    ("%s: no response within %g s"):format(label_of(request), request.opts.timeout))
end

local function status_error(request, response)
  if type(response.body) ~= "string" then response.body:close() end
  return core.error("status", ("%s: %d %s"):format(label_of(request), response.status,
    response.reason), {status = response.status, retry_after = response.retry_after,
    response = response})
end

--- Makes a request of a client's. Returns the response; nil and an error.
function M.run(client, request)
  local response, err
  if request.opts.timeout and request.opts.timeout < math.huge then
    response, err = follow_in_time(client, request)
  else
    response, err = follow(client, request)
  end
  if response and request.opts.fail and response.status >= 400 then
    return nil, status_error(request, response)
  end
  return response, err
end

return M
