// Reads a request in protobuf and the same in JSON, and fails unless they agree.
// The flags, field 16 of a span, are newer than this reader, which passes them
// over: scripts/otlp_check asks protoc for them.
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");

const root = require(path.join(__dirname, "node_modules/@opentelemetry/otlp-transformer",
  "build/src/generated/root.js"));
const Request = root.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;

const bytes = fs.readFileSync(process.argv[2]);
const json = JSON.parse(fs.readFileSync(process.argv[3], "utf8"));

// Ids are hexadecimal in OTLP's JSON, and base64 in protobuf's own.
function toBase64(value) {
  if (Array.isArray(value)) return value.map(toBase64);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== "flags").map(([key, inner]) =>
    [key, ["traceId", "spanId", "parentSpanId"].includes(key)
      ? Buffer.from(inner, "hex").toString("base64") : toBase64(inner)]));
}

const read = Request.decode(bytes);
assert.strictEqual(Request.verify(Request.toObject(read)), null);
const shown = { longs: String, bytes: String, json: true };
const fromJson = Request.fromObject(toBase64(json));
assert.deepStrictEqual(Request.toObject(read, shown), Request.toObject(fromJson, shown));
assert.deepStrictEqual(Request.toObject(read, shown), toBase64(json));
const spans = read.resourceSpans[0].scopeSpans[0].spans;
console.log(`otlp-transformer: ${spans.length} spans in ${bytes.length} bytes, the same in JSON`);
