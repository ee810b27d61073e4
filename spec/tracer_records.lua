-- Spans as exporters get them, with every kind of field and value; and what the
-- two encodings make of them, which scripts/otlp_check has compared with other
-- readers.
local M = {}

M.resource = { ["service.name"] = "golden", ["process.pid"] = 42 }

local function span(fields)
  local record = {
    name = "span", kind = "internal", trace_id = "0af7651916cd43dd8448eb211c80319c",
    span_id = "b7ad6b7169203331", flags = 3, remote_parent = false,
    start_ns = 1700000000000000000, end_ns = 1700000000123456789, attributes = {}, events = {},
    links = {}, status = { code = "unset" }, dropped_attributes = 0, dropped_events = 0,
    dropped_links = 0,
  }
  for key, value in pairs(fields) do record[key] = value end
  return record
end

M.spans = {
  span { name = "plain" },
  span {
    name = "GET /", kind = "server", span_id = "00f067aa0ba902b7",
    parent_span_id = "b7ad6b7169203331", remote_parent = true, trace_state = "a=1,b@c=2",
    status = { code = "error", message = "no \"such\" page\n" },
    attributes = {
      text = "h\u{e9}llo", empty = "", yes = true, no = false, zero = 0, small = 7,
      negative = -1, large = math.maxinteger, least = math.mininteger, half = 0.5,
      third = 1 / 3, float_zero = 0.0, infinite = math.huge, list = { "a", 1, true, 0.25 },
      none = {}, broken = "a\xff\xfeb\xe2\x82", control = "\0\1\t\\",
    },
    dropped_attributes = 3,
    events = {
      { name = "first", time_ns = 1700000000000000001, attributes = {}, dropped_attributes = 0 },
      { name = "second", time_ns = 1700000000000000300, attributes = { n = 300 },
        dropped_attributes = 1 },
    },
    dropped_events = 200,
    links = {
      { trace_id = "4bf92f3577b34da6a3ce929d0e0e4736", span_id = "00f067aa0ba902b8", flags = 1,
        remote = true, trace_state = "x=y", attributes = { why = "batch" },
        dropped_attributes = 0 },
    },
    dropped_links = 1,
  },
  span { name = "ok", kind = "consumer", status = { code = "ok" }, flags = 1 },
}

return M
