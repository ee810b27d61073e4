--[[
tracer_environment.lua - the OTEL_* variables.

An empty value counts as none; one that cannot be understood is a warning, and
counts as none. What comes out is a table of options as rille.tracer has them.
See the environment variable specification of OpenTelemetry.
]]
local _, core = ...

local M = {}

local function trim(text)
  return text:match "^%s*(.-)%s*$"
end

local function decode(text)
  return (trim(text):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- "k=v,k=v" as a table; values are percent-encoded.
local function pairs_of(text)
  local map = {}
  for entry in text:gmatch "[^,]+" do
    local key, value = entry:match "^([^=]+)=(.*)$"
    if not key then return nil end
    map[decode(key)] = decode(value)
  end
  return map
end

local function choice(...)
  local names = {}
  for _, name in ipairs {...} do names[name] = name end
  return function(text) return names[text:lower()] end
end

local function number(least, most)
  return function(text)
    local n = tonumber(text)
    if n and n >= least and n <= most then return n end
  end
end

local function whole(least)
  return function(text)
    local n = math.tointeger(tonumber(text))
    if n and n >= least then return n end
  end
end

local function milliseconds(text)
  local n = whole(0)(text)
  return n and n / 1000
end

local function boolean(text)
  if text:lower() == "true" then return true end
  if text:lower() == "false" then return false end
end

local function url(text)
  return text:match "^[hH][tT][tT][pP][sS]?://[^/%s]%S*$"
end

local function as_it_is(text) return text end

local function propagators(text)
  local list = {}
  for name in text:gmatch "[^,]+" do
    name = trim(name)
    if name == "none" then return {} end
    if name ~= "tracecontext" and name ~= "baggage" then return nil end
    list[#list + 1] = name
  end
  return list
end

-- option -> how it is read, and the variables: the first that is set counts.
local variables = {
  disabled = {boolean, "OTEL_SDK_DISABLED"},
  log_level = {choice("none", "error", "warn", "info", "debug"), "OTEL_LOG_LEVEL"},
  service = {as_it_is, "OTEL_SERVICE_NAME"},
  resource = {pairs_of, "OTEL_RESOURCE_ATTRIBUTES"},
  exporter = {choice("otlp", "console", "memory", "file", "none"), "OTEL_TRACES_EXPORTER"},
  sampler = {choice("always_on", "always_off", "traceidratio", "parentbased_always_on",
    "parentbased_always_off", "parentbased_traceidratio"), "OTEL_TRACES_SAMPLER"},
  sampler_arg = {number(0, 1), "OTEL_TRACES_SAMPLER_ARG"},
  propagators = {propagators, "OTEL_PROPAGATORS"},
  endpoint = {url, "OTEL_EXPORTER_OTLP_ENDPOINT"},
  traces_endpoint = {url, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
  schedule_delay = {milliseconds, "OTEL_BSP_SCHEDULE_DELAY"},
  export_timeout = {milliseconds, "OTEL_BSP_EXPORT_TIMEOUT"},
  max_queue = {whole(1), "OTEL_BSP_MAX_QUEUE_SIZE"},
  max_batch = {whole(1), "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"},
  max_attributes = {whole(0), "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "OTEL_ATTRIBUTE_COUNT_LIMIT"},
  max_events = {whole(0), "OTEL_SPAN_EVENT_COUNT_LIMIT"},
  max_links = {whole(0), "OTEL_SPAN_LINK_COUNT_LIMIT"},
  max_event_attributes = {whole(0), "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_COUNT_LIMIT"},
  max_link_attributes = {whole(0), "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
    "OTEL_ATTRIBUTE_COUNT_LIMIT"},
  max_value_length = {whole(0), "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
    "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"},
}

-- Those of the exporter are there for traces and for all signals.
for option, rule in pairs {
  protocol = {choice("http/protobuf", "http/json"), "PROTOCOL"},
  headers = {pairs_of, "HEADERS"},
  timeout = {milliseconds, "TIMEOUT"},
  compression = {choice "none", "COMPRESSION"}, -- asked for, it is not there
  ca_file = {as_it_is, "CERTIFICATE"},
  cert_file = {as_it_is, "CLIENT_CERTIFICATE"},
  key_file = {as_it_is, "CLIENT_KEY"},
} do
  variables[option] = {rule[1], "OTEL_EXPORTER_OTLP_TRACES_" .. rule[2],
    "OTEL_EXPORTER_OTLP_" .. rule[2]}
end

-- The value of one option, or nil.
local function read(rule, getenv, complain)
  for i = 2, #rule do
    local text = trim(getenv(rule[i]) or "")
    if text ~= "" then
      local value = rule[1](text)
      if value ~= nil then return value end
      complain(("%s: %s is not understood, and counts as not set"):format(rule[i],
        core.shown(text)))
    end
  end
end

--- The options that the environment gives. `complain` is called with each
-- warning; `getenv` is os.getenv.
function M.read(getenv, complain)
  local options, names = {}, {}
  for option in pairs(variables) do names[#names + 1] = option end
  table.sort(names)
  for _, option in ipairs(names) do
    options[option] = read(variables[option], getenv, complain)
  end
  return options
end

return M
