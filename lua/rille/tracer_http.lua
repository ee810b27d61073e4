--[[
tracer_http.lua - the exporter that sends: OTLP over HTTP.

A request is made again after 429, 502, 503 and 504 and where no answer came,
later and later, or when the answer says; any other answer is final. What the
collector has rejected of a request that it took is told, and not sent again.
See the OTLP specification, "OTLP/HTTP".
]]
local rille, core = ...

core.load "rille.retry"

local M = {}

local MOST_SENT, MOST_READ = 64 << 20, 4 << 20

local formats = {
  ["http/protobuf"] = {"rille.tracer_protobuf", "application/x-protobuf"},
  ["http/json"] = {"rille.tracer_json", "application/json"},
}

-- Where traces go, by the rules for the two variables.
local function url_of(o)
  if o.traces_endpoint then
    return (o.traces_endpoint:gsub("^(%a+://[^/?]+)$", "%1/"))
  end
  return o.endpoint:gsub("/+$", "") .. "/v1/traces"
end

local function make_headers(o, type)
  local headers = {
    ["Content-Type"] = type,
    ["User-Agent"] = "OTel-OTLP-Exporter-Lua/" .. rille.version,
  }
  for name, value in pairs(o.headers or {}) do headers[name] = value end
  return headers
end

----------------------------------------------------------------------------
-- What comes back

-- How many spans were rejected, and why: of an answer in protobuf ...
local function read_protobuf(body)
  local protobuf = core.load "rille.tracer_protobuf"
  local response = protobuf.read(body)
  local partial = response and type(response[1]) == "string" and protobuf.read(response[1])
  if not partial then return 0 end
  return math.type(partial[1]) and partial[1] or 0, type(partial[2]) == "string" and partial[2]
end

-- ... or in JSON, of which no more than this is of interest.
local function read_json(body)
  local partial = body:match '"partialSuccess"%s*:%s*(%b{})'
  if not partial then return 0 end
  return math.tointeger(tonumber(partial:match '"rejectedSpans"%s*:%s*"?(%d+)')) or 0,
    partial:match '"errorMessage"%s*:%s*"([^"]*)"'
end

-- Tells of a success that was none of all.
local function look(self, response)
  local json = (response.headers["content-type"] or ""):find "json"
  local rejected, message = (json and read_json or read_protobuf)(response.body)
  if rejected == 0 and not message then return end
  self.rejected = self.rejected + rejected
  self.complain(("the collector has rejected %d spans: %s"):format(rejected, message or "?"))
end

local passing = {[429] = true, [502] = true, [503] = true, [504] = true}
local unanswered = {resolve = true, connect = true, timeout = true, protocol = true, io = true}

local function may_pass(err)
  if not rille.is_error(err) then return false end
  return unanswered[err.kind] or err.kind == "status" and passing[err.status] or false
end

-- Makes the request once.
local function post(self, body)
  local response, err = self.client:request {method = "POST", url = self.url, body = body,
    fail = true}
  if not response then return nil, err end
  if response.status < 200 or response.status > 299 then
    return nil, core.error("status", ("%s answered %d"):format(self.url, response.status),
      {status = response.status})
  end
  look(self, response)
  return true
end

local function open_client(self, o)
  return rille.http.client {
    headers = self.headers, timeout = o.timeout, redirects = false, max_body = MOST_READ,
    ca_file = o.ca_file, cert_file = o.cert_file, key_file = o.key_file,
  }
end

local function send(self, o, spans, resource)
  local otlp = core.tracer_otlp
  local body = self.write(otlp.schema.request, otlp.make_request(spans, resource))
  if #body > MOST_SENT then return nil, core.error("too_large", "the request has 64 MiB") end
  self.client = self.client or open_client(self, o)
  return core.retry(self.policy, post, self, body)
end

local read_retry = core.retry_reader("tracer", 1)

--- Makes the exporter.
function M.new(o, complain)
  local format = formats[o.protocol]
  local self = {
    url = url_of(o), headers = make_headers(o, format[2]), rejected = 0, complain = complain,
    write = core.load(format[1]).write,
    policy = read_retry {max_retries = math.huge, max_elapsed = o.export_timeout,
      backoff = {initial = 1, factor = 2, max = 5, jitter = "equal"}, retry_if = may_pass},
  }
  return {
    export = function(spans, resource) return send(self, o, spans, resource) end,
    rejected = function() return self.rejected end,
    close = function()
      if self.client then self.client:close() end
      self.client = nil
    end,
  }
end

core.tracer_http = M
return M
