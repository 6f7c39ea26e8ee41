// The same for corio/streams, whose types need those of Node.
import { run } from "corio";
import { openConnection, startServer } from "corio/streams";

const answer: Uint8Array = await run(async () => {
  const server = await startServer((_reader, writer) => writer.close(), "127.0.0.1", 0);
  const [reader, writer] = await openConnection("127.0.0.1", server.port);
  const rest = await reader.read();
  writer.close();
  server.close();
  return rest;
});
console.log(answer.length);
