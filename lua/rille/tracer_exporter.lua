--[[
tracer_exporter.lua - where spans go: to a list, the screen, a file, nowhere.

An exporter is a table with export(spans, resource), which gives nil and an
error when it fails. Those with `immediate` cannot wait, and get each span as it
ends; the others get batches. The one that sends is tracer_http.lua.
]]
local _, core = ...

local M = {}

local makers = {}

function makers.none()
  return {immediate = true, export = function() return true end}
end

function makers.memory()
  local spans = {}
  return {immediate = true, spans = spans, export = function(list)
    table.move(list, 1, #list, #spans + 1, spans)
  end}
end

----------------------------------------------------------------------------

local function shown(value)
  if type(value) == "string" then return ("%q"):format(value):gsub("\\\n", "\\n") end
  if type(value) ~= "table" then return tostring(value) end
  local parts = {}
  for i, item in ipairs(value) do parts[i] = shown(item) end
  return "{" .. table.concat(parts, ", ") .. "}"
end

-- " key=value key=value", in the order of the keys.
local function attributes(map)
  local parts = {}
  for key, value in pairs(map) do parts[#parts + 1] = (" %s=%s"):format(key, (shown(value))) end
  table.sort(parts)
  return table.concat(parts)
end

--- A span as a line of text, and one more for each event.
function M.text(span)
  local status = span.status.code ~= "unset"
    and (" %s%s"):format(span.status.code, span.status.message and ": " .. span.status.message
      or "") or ""
  local lines = {("span %s%s %s/%s%s %.3f ms%s%s"):format(span.name,
    span.kind ~= "internal" and " (" .. span.kind .. ")" or "", span.trace_id, span.span_id,
    span.parent_span_id and " in " .. span.parent_span_id or "", span.duration * 1000, status,
    attributes(span.attributes))}
  for _, event in ipairs(span.events) do
    lines[#lines + 1] = ("  %.3f ms %s%s"):format((event.time_ns - span.start_ns) / 1000000,
      event.name, attributes(event.attributes))
  end
  return table.concat(lines, "\n")
end

function makers.console()
  return {immediate = true, export = function(list)
    for _, span in ipairs(list) do io.stdout:write(M.text(span), "\n") end
  end}
end

----------------------------------------------------------------------------

-- One request in the JSON of OTLP is a line.
function makers.file(o)
  return {export = function(list, resource)
    local otlp, json = core.tracer_otlp, core.load "rille.tracer_json"
    local file <close> = assert(io.open(o.path, "a"))
    assert(file:write(json.write(otlp.schema.request, otlp.make_request(list, resource)), "\n"))
  end}
end

function makers.otlp(o, complain)
  return core.load "rille.tracer_http".new(o, complain)
end

-- A function of the user's, or an object with `export` and perhaps `shutdown`.
local function adopt(exporter)
  if type(exporter) == "function" then return {export = exporter} end
  return {
    export = function(...) return exporter:export(...) end,
    shutdown = exporter.shutdown and function() return exporter:shutdown() end,
  }
end

--- The exporter that these options ask for. `complain` is called with warnings.
function M.make(o, complain)
  local maker = makers[o.exporter]
  if maker then return maker(o, complain) end
  return adopt(o.exporter)
end

core.tracer_exporter = M
return M
