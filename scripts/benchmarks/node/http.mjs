// http.mjs - an HTTP server on Node.js that answers every request with a text.
//
//     node scripts/benchmarks/node/http.mjs
//
// Prints "port N" and serves until it is killed.
import { createServer } from "node:http";

const head = { "Content-Type": "text/plain; charset=utf-8", "Content-Length": 6 };

const server = createServer((request, response) => {
  response.writeHead(200, head);
  response.end("hello\n");
});
server.listen(0, "127.0.0.1", 1024, () => console.log(`port ${server.address().port}`));
