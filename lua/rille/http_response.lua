--[[
http_response.lua - what a handler has returned, as bytes.

    "text"                              200 and the text
    {status =, headers =, body =}       body: a string, a list of strings, or what
                                        rille.stream takes: sent as it comes

A response that is there is one string, or one list of strings for the kernel to
gather; one that comes bit by bit is sent in chunks, or until the connection
closes for a client of HTTP/1.0. The framing is ours alone: what the handler says
of it must agree.

Nothing is written before all was checked: so a handler's mistake can still be
answered with a 500.
]]
local rille, core = ...

core.load "rille.http_headers"
local streams = core.load "rille.byte_stream"
local requests = core.load "rille.http_request"

local M = {}

local find, lower, concat, time = string.find, string.lower, table.concat, os.time

local BIG = 16384 -- bytes of a body that is not copied behind its head
local MANY = 1024 -- sizes of texts whose heads are kept for a second

local reasons = {
  [200] = "OK", [201] = "Created", [202] = "Accepted", [203] = "Non-Authoritative Information",
  [204] = "No Content", [205] = "Reset Content", [206] = "Partial Content",
  [300] = "Multiple Choices", [301] = "Moved Permanently", [302] = "Found", [303] = "See Other",
  [304] = "Not Modified", [307] = "Temporary Redirect", [308] = "Permanent Redirect",
  [400] = "Bad Request", [401] = "Unauthorized", [402] = "Payment Required", [403] = "Forbidden",
  [404] = "Not Found", [405] = "Method Not Allowed", [406] = "Not Acceptable",
  [408] = "Request Timeout", [409] = "Conflict", [410] = "Gone", [411] = "Length Required",
  [412] = "Precondition Failed", [413] = "Content Too Large", [414] = "URI Too Long",
  [415] = "Unsupported Media Type", [416] = "Range Not Satisfiable", [417] = "Expectation Failed",
  [418] = "I'm a teapot", [421] = "Misdirected Request", [422] = "Unprocessable Content",
  [425] = "Too Early", [426] = "Upgrade Required", [428] = "Precondition Required",
  [429] = "Too Many Requests", [431] = "Request Header Fields Too Large",
  [451] = "Unavailable For Legal Reasons", [500] = "Internal Server Error",
  [501] = "Not Implemented", [502] = "Bad Gateway", [503] = "Service Unavailable",
  [504] = "Gateway Timeout", [505] = "HTTP Version Not Supported",
}

local days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
local months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

-- What is the same for all responses of a second: the Date, status lines followed
-- by it, and heads of plain texts, by their size.
local second, date, beginnings, plain = -1, "", {}, {}

local function tick(now)
  local t = os.date("!*t", now)
  second, beginnings, plain = now, {}, {}
  date = ("Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n"):format(days[t.wday], t.day,
    months[t.month], t.year, t.hour, t.min, t.sec)
end

local function status_line(status)
  return ("HTTP/1.1 %d %s\r\n"):format(status, reasons[status] or "Unknown")
end

-- The status line and the Date, unless the handler gives one.
local function beginning(status, dated)
  if dated then return status_line(status) end
  local now = time()
  if now ~= second then tick(now) end
  local text = beginnings[status]
  if not text then
    text = status_line(status) .. date
    beginnings[status] = text
  end
  return text
end

local TEXT = "Content-Type: text/plain; charset=utf-8\r\n"

-- Whether a response has a body at all: RFC 9110, 6.4.1.
local function may_have_body(status)
  return status ~= 204 and status ~= 304
end

-- Fields -------------------------------------------------------------------

local function misuse(...)
  error("bad response: " .. (...):format(select(2, ...)), 0)
end

-- What the fields of a handler say that matters here, by lower-case name.
local minded = {
  ["content-type"] = true, ["content-length"] = true, ["transfer-encoding"] = true,
  connection = true, date = true,
}

local hidden = {["content-length"] = true, ["transfer-encoding"] = true, connection = true}

-- Whether the one field of a table can be taken as it is.
local function is_plain(name, value)
  return type(name) == "string" and type(value) == "string"
    and find(name, "^[%w-]+$") and not find(value, "%c") and not hidden[lower(name)]
end

-- What another server has sent may be given on, so headers are not safe either.
local function check_field(name, value)
  local wrong = core.bad_token(name)
  if wrong then misuse("a bad header name: %s", wrong) end
  if find(value, "[\r\n\0]") then misuse("a line break or a zero byte in header %s", name) end
end

-- The lines of the fields that a handler gives, and those that matter here.
local function read_fields(headers)
  if type(headers) == "table" and getmetatable(headers) == nil then
    local name, value = next(headers)
    if name == nil then return "", {} end
    if next(headers, name) == nil and is_plain(name, value) then
      return name .. ": " .. value .. "\r\n", {[lower(name)] = value}
    end
  end
  local lines, given = {}, {}
  for key, text in core.headers(headers):pairs() do
    check_field(key, text)
    local known = lower(key)
    if minded[known] then given[known] = text end
    if not hidden[known] then lines[#lines + 1] = key .. ": " .. text .. "\r\n" end
  end
  return concat(lines), given
end

local function check_length(given, size)
  local length = given["content-length"]
  if length and (not length:find "^%d+$" or math.tointeger(tonumber(length)) ~= size) then
    misuse("Content-Length is '%s', but the body has %d bytes", length, size)
  end
end

-- How many bytes are announced, or nil.
local function announced(given)
  local length = given["content-length"]
  if not length then return nil end
  local n = length:find "^%d+$" and math.tointeger(tonumber(length))
  return n or misuse("Content-Length is '%s'", length)
end

-- The size to announce. What a handler says of the body that GET would get is
-- true.
local function body_size(conn, given, body)
  if body == nil and conn.is_head and given["content-length"] then return announced(given) end
  local size = #(body or "")
  check_length(given, size)
  return size
end

-- Whole responses ----------------------------------------------------------

-- The line that says whether the connection stays, where that is not plain.
local function connection_line(conn)
  if not conn.keep then return "Connection: close\r\n" end
  return conn.version == "1.0" and "Connection: keep-alive\r\n" or ""
end

local function write(conn, data)
  conn.started = true
  return streams.push(conn.state, data, conn.server.opts.write_timeout)
end

-- Sends a body of `size` bytes with its head, or a head alone if that is nil;
-- `lines` are the beginning and the handler's fields.
local function send_whole(conn, lines, body, size)
  requests.settle(conn)
  local head = lines .. connection_line(conn)
  if not size then return write(conn, head .. "\r\n") end
  head = head .. "Content-Length: " .. size .. "\r\n\r\n"
  if conn.is_head then return write(conn, head) end
  if #body > BIG then return write(conn, {head, body}) end
  return write(conn, head .. body)
end

-- Streamed responses -------------------------------------------------------

-- How the body is sent: what the head says of it.
local function framing_line(conn, length)
  if length then return "Content-Length: " .. length .. "\r\n" end
  if conn.version == "1.1" then
    conn.chunked = true
    return "Transfer-Encoding: chunked\r\n"
  end
  conn.keep = false
  return ""
end

local function check_piece(piece)
  if type(piece) ~= "string" then
    misuse("the body gives a %s; strings expected", type(piece))
  end
  return #piece
end

local function write_piece(conn, piece)
  if conn.chunked then piece = {("%x\r\n"):format(#piece), piece, "\r\n"} end
  return write(conn, piece)
end

-- Sends what the body gives, as fast as the client takes it.
local function pump(conn, body, length)
  local sent = 0
  for piece in body:iter() do
    local size = check_piece(piece)
    sent = sent + size
    if length and sent > length then misuse("the body has more than %d bytes", length) end
    if size > 0 then
      local ok, err = write_piece(conn, piece)
      if not ok then return nil, err end
    end
  end
  if length and sent < length then misuse("the body has %d bytes of %d", sent, length) end
  if conn.chunked then return write(conn, "0\r\n\r\n") end
  return true
end

local function send_stream(conn, status, lines, given, source)
  local body <close> = rille.stream(source)
  local length = announced(given)
  local bare = conn.is_head or not may_have_body(status)
  conn.chunked = false
  local framing = may_have_body(status) and framing_line(conn, length) or ""
  local head = beginning(status, given.date) .. lines .. connection_line(conn) .. framing .. "\r\n"
  local ok, err = write(conn, head)
  if not ok or bare then return ok, err end
  return pump(conn, body, length)
end

-- What a handler returns ---------------------------------------------------

local function is_list(body)
  return type(body) == "table" and getmetatable(body) == nil
    and (type(body[1]) == "string" or next(body) == nil)
end

local function join(list)
  for i = 1, #list do
    if type(list[i]) ~= "string" then
      misuse("string expected at body[%d], got %s", i, type(list[i]))
    end
  end
  return concat(list)
end

local known = {status = true, headers = true, body = true}

local function check_response(response)
  for key in next, response do
    if not known[key] then misuse("unknown field '%s'", tostring(key)) end
  end
  local status = response.status or 200
  if math.type(status) ~= "integer" or status < 200 or status > 999 then
    misuse("a status from 200 to 999 expected, got %s", tostring(status))
  end
  return status
end

local function send_table(conn, response)
  local status, body = check_response(response), response.body
  local lines, given = "", {}
  if response.headers ~= nil then lines, given = read_fields(response.headers) end
  if given["transfer-encoding"] then misuse "Transfer-Encoding is the server's to choose" end
  if given.connection and lower(given.connection):find "close" then conn.keep = false end
  if body ~= nil and may_have_body(status) and not given["content-type"] then
    lines = lines .. TEXT
  end
  if is_list(body) then body = join(body) end
  if body ~= nil and type(body) ~= "string" then
    return send_stream(conn, status, lines, given, body)
  end
  return send_whole(conn, beginning(status, given.date) .. lines, body or "",
    may_have_body(status) and body_size(conn, given, body) or nil)
end

-- The head of a text that is sent to a client of HTTP/1.1 which stays.
local function plain_head(size)
  local head = beginning(200) .. TEXT .. "Content-Length: " .. size .. "\r\n\r\n"
  if size < MANY then plain[size] = head end
  return head
end

--- A response to the simplest of requests as one string, if it is simple too.
function M.plain(response)
  if type(response) ~= "string" or #response > BIG then return nil end
  if time() ~= second then tick(time()) end
  local size = #response
  return (plain[size] or plain_head(size)) .. response
end

--- Sends what the handler has returned. True; nil and an error when the client
-- did not take it. Raises for what is no response: then nothing was written,
-- unless conn.started says so. Suspends.
function M.send(conn, response)
  if type(response) == "string" then
    return send_whole(conn, beginning(200) .. TEXT, response, #response)
  end
  if type(response) ~= "table" then
    misuse("the handler returned a %s; a string or a table expected", type(response))
  end
  return send_table(conn, response)
end

--- Sends a response of the server's own. Suspends.
function M.send_status(conn, status, detail)
  local text = reasons[status] .. (detail and ": " .. detail or "") .. "\n"
  return send_whole(conn, beginning(status) .. TEXT, text, #text)
end

return M
