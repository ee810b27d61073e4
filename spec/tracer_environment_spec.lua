-- The OTEL_* variables.
local rille = require "rille"
local helper = require "spec.helper"

local environment = helper.core().load "rille.tracer_environment"

-- The options that these variables give, and the warnings.
local function read(variables)
  local warnings = {}
  local options = environment.read(function(name) return variables[name] end,
    function(text) warnings[#warnings + 1] = text end)
  return options, warnings
end

describe("the environment", function()
  for _, row in ipairs {
    { "OTEL_SDK_DISABLED", "TRUE", "disabled", true },
    { "OTEL_SDK_DISABLED", "false", "disabled", false },
    { "OTEL_LOG_LEVEL", "error", "log_level", "error" },
    { "OTEL_SERVICE_NAME", " shop ", "service", "shop" },
    { "OTEL_RESOURCE_ATTRIBUTES", "a=1,b%2Cc=d%20e, f = g=h", "resource",
      { a = "1", ["b,c"] = "d e", f = "g=h" } },
    { "OTEL_TRACES_EXPORTER", "console", "exporter", "console" },
    { "OTEL_TRACES_SAMPLER", "ParentBased_TraceIdRatio", "sampler", "parentbased_traceidratio" },
    { "OTEL_TRACES_SAMPLER_ARG", "0.25", "sampler_arg", 0.25 },
    { "OTEL_PROPAGATORS", "tracecontext, baggage", "propagators", { "tracecontext", "baggage" } },
    { "OTEL_PROPAGATORS", "none", "propagators", {} },
    { "OTEL_EXPORTER_OTLP_ENDPOINT", "https://c:1/x", "endpoint", "https://c:1/x" },
    { "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c", "traces_endpoint", "http://c" },
    { "OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "protocol", "http/json" },
    { "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "protocol", "http/json" },
    { "OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20x,b=c", "headers",
      { Authorization = "Basic x", b = "c" } },
    { "OTEL_EXPORTER_OTLP_TIMEOUT", "2500", "timeout", 2.5 },
    { "OTEL_EXPORTER_OTLP_COMPRESSION", "none", "compression", "none" },
    { "OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca", "ca_file", "/ca" },
    { "OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key", "key_file", "/key" },
    { "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/cert", "cert_file", "/cert" },
    { "OTEL_BSP_SCHEDULE_DELAY", "100", "schedule_delay", 0.1 },
    { "OTEL_BSP_EXPORT_TIMEOUT", "1000", "export_timeout", 1.0 },
    { "OTEL_BSP_MAX_QUEUE_SIZE", "10", "max_queue", 10 },
    { "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5", "max_batch", 5 },
    { "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3", "max_attributes", 3 },
    { "OTEL_ATTRIBUTE_COUNT_LIMIT", "4", "max_event_attributes", 4 },
    { "OTEL_SPAN_EVENT_COUNT_LIMIT", "5", "max_events", 5 },
    { "OTEL_SPAN_LINK_COUNT_LIMIT", "6", "max_links", 6 },
    { "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", "7", "max_event_attributes", 7 },
    { "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", "8", "max_link_attributes", 8 },
    { "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "9", "max_value_length", 9 },
  } do
    it(row[1] .. "=" .. row[2] .. " is understood", function()
      local options, warnings = read { [row[1]] = row[2] }
      assert.are.same(row[4], options[row[3]])
      assert.are.same({}, warnings)
    end)
  end

  for _, row in ipairs {
    { "OTEL_SDK_DISABLED", "yes" }, { "OTEL_RESOURCE_ATTRIBUTES", "a=1,b" },
    { "OTEL_TRACES_EXPORTER", "zipkin" }, { "OTEL_TRACES_SAMPLER", "sometimes" },
    { "OTEL_TRACES_SAMPLER_ARG", "2" }, { "OTEL_TRACES_SAMPLER_ARG", "nan" },
    { "OTEL_PROPAGATORS", "b3" }, { "OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318" },
    { "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc" }, { "OTEL_EXPORTER_OTLP_TIMEOUT", "-1" },
    { "OTEL_EXPORTER_OTLP_TIMEOUT", "1.5" }, { "OTEL_BSP_MAX_QUEUE_SIZE", "0" },
    { "OTEL_BSP_SCHEDULE_DELAY", "soon" }, { "OTEL_LOG_LEVEL", "loud" },
  } do
    it(row[1] .. "=" .. row[2] .. " is a warning, and not set", function()
      local options, warnings = read { [row[1]] = row[2] }
      assert.is_nil(next(options))
      assert.are.equal(1, #warnings)
      assert.is_truthy(warnings[1]:find(row[1], 1, true))
    end)
  end

  it("that is empty is not set", function()
    local options, warnings = read { OTEL_SERVICE_NAME = "", OTEL_BSP_MAX_QUEUE_SIZE = " ",
      OTEL_TRACES_SAMPLER = "" }
    assert.are.same({ {}, {} }, { options, warnings })
  end)

  it("has variables for traces that count before those for all", function()
    local options = read { OTEL_EXPORTER_OTLP_TIMEOUT = "1",
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT = "2", OTEL_ATTRIBUTE_COUNT_LIMIT = "3",
      OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT = "4" }
    assert.are.equal(0.002, options.timeout)
    assert.are.equal(4, options.max_attributes)
    assert.are.equal(3, options.max_link_attributes)
  end)

  it("that is not understood for traces leaves that for all", function()
    local options, warnings = read { OTEL_EXPORTER_OTLP_TIMEOUT = "1",
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT = "x" }
    assert.are.equal(0.001, options.timeout)
    assert.are.equal(1, #warnings)
  end)
end)

describe("a tracer in an environment", function()
  -- What a process of its own writes that has these variables.
  local function output(variables, code)
    return (helper.stock_lua("io.stdout:setvbuf 'no' local rille = require 'rille'\n" .. code,
      variables, "-W"))
  end

  local show = [[rille.run({clock = "virtual", tracer = rille.tracer()}, function()
    print(rille.tracer()) end)]]

  it("does as it says", function()
    local text = output("OTEL_SERVICE_NAME=shop OTEL_TRACES_EXPORTER=console", show)
    assert.is_truthy(text:find "^rille.tracer: shop %(console%)\nspan root %x+/%x+ 0.000 ms")
  end)

  it("prefers what code says", function()
    local text = output("OTEL_SERVICE_NAME=shop OTEL_TRACES_EXPORTER=console",
      "print(rille.tracer {service = 'mine', exporter = 'none'})")
    assert.are.equal("rille.tracer: mine (none)\n", text)
  end)

  it("makes nothing where it is disabled", function()
    assert.are.equal("rille.tracer: unknown_service:lua (none)\n",
      output("OTEL_SDK_DISABLED=true OTEL_TRACES_EXPORTER=console", show))
  end)

  it("warns of what it does not understand, unless it is to be quiet", function()
    local code = "print(rille.tracer {exporter = 'none'})"
    assert.is_truthy(output("OTEL_TRACES_SAMPLER=x", code)
      :find "Lua warning: rille: tracer: OTEL_TRACES_SAMPLER: 'x' is not understood")
    assert.is_nil(output("OTEL_LOG_LEVEL=none OTEL_TRACES_SAMPLER=x", code):find "warning")
  end)

  it("takes the service's name from the resource, if nothing else tells it", function()
    local code = "print(rille.tracer {exporter = 'none'})"
    local resource = "OTEL_RESOURCE_ATTRIBUTES=service.name=r "
    assert.are.equal("rille.tracer: r (none)\n", output(resource, code))
    assert.are.equal("rille.tracer: s (none)\n", output(resource .. "OTEL_SERVICE_NAME=s", code))
  end)

  it("has batches no larger than its queue", function()
    local code = "local t = rille.tracer() print(t:stats().capacity)"
    assert.are.equal("10\n", output("OTEL_BSP_MAX_QUEUE_SIZE=10", code))
  end)
end)

describe("the options of rille.tracer", function()
  for _, row in ipairs {
    { "unknown option 'servic'; did you mean 'service'", { servic = "x" } },
    { "option 'exporter': 'otlp' or", { exporter = "zipkin" } },
    { "option 'exporter': a table with export expected", { exporter = {} } },
    { "option 'endpoint': a URL of http or https expected, got 'x'", { endpoint = "x" } },
    { "option 'protocol': 'http/protobuf' or 'http/json' expected", { protocol = "grpc" } },
    { "option 'sampler_arg': a number from 0 to 1 expected", { sampler_arg = 2 } },
    { "option 'max_queue'", { max_queue = 0 } },
    { "option 'max_batch': at most max_queue expected", { max_queue = 2, max_batch = 3 } },
    { "option 'propagators': no such propagator 'b3'", { propagators = { "b3" } } },
  } do
    it("are checked: " .. row[1], function()
      helper.raises(function() rille.tracer(row[2]) end, row[1])
    end)
  end
end)
