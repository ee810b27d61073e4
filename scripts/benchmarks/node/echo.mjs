// echo.mjs - a TCP echo server on Node.js, in callbacks, its fastest way.
//
//     node scripts/benchmarks/node/echo.mjs
//
// Prints "port N" and serves until it is killed.
import { createServer } from "node:net";

const server = createServer({ noDelay: true }, (socket) => {
  socket.on("data", (chunk) => socket.write(chunk));
  socket.on("error", () => socket.destroy());
});
server.listen(0, "127.0.0.1", 1024, () => console.log(`port ${server.address().port}`));
