/** Proxies of TCP whose clients leave without the server behind being told, or being told half of it. */
import { startProgram } from "../../../corio/test/support/program.ts";
import type { Running } from "../../../corio/test/support/program.ts";

const PROXY = `
import { connect, createServer } from "node:net";

const server = createServer({ allowHalfOpen: true }, (client) => {
  const upstream = connect({ host: "127.0.0.1", port: Number(process.env.UPSTREAM_PORT), allowHalfOpen: true });
  client.on("data", (data) => upstream.write(data));
  let isLeft = false;
  const leave = () => {
    if (isLeft) return;
    isLeft = true;
    if (process.env.PROXY_MODE === "half-close") upstream.end();
    console.log("the client left");
  };
  client.on("end", leave);
  client.on("close", leave);
  client.on("error", () => undefined);
  // Read to its end, whether or not there is still somebody who wants it.
  upstream.on("data", (data) => {
    if (!client.destroyed) client.write(data);
    if (String(data).includes("answered")) console.log("the server answered");
  });
  upstream.on("end", () => {
    client.end();
    upstream.end();
    console.log("the server closed");
  });
  upstream.on("error", () => client.destroy());
});
server.listen(0, "127.0.0.1", () => console.log("listening on " + server.address().port + "!"));
process.stdin.resume().on("end", () => process.exit());
`;

export interface Proxy {
  readonly port: number;
  /** Waits until the proxy has said this. */
  printed(text: string): Promise<string>;
  close(): Promise<void>;
}

/**
 * A process of its own that stands between clients and a server. When a client leaves, it closes its half of the
 * connection to the server (`half-close`), or leaves it as it is (`keep-open`).
 */
export async function startProxy(upstreamPort: number, mode: "half-close" | "keep-open"): Promise<Proxy> {
  const program: Running = startProgram(PROXY, {
    input: null,
    environment: { UPSTREAM_PORT: String(upstreamPort), PROXY_MODE: mode },
  });
  const port = Number(/on (\d+)!/.exec(await program.printed("!"))?.[1]);
  return {
    port,
    printed: program.printed,
    close: async () => {
      program.child.stdin.end();
      await program.ended;
    },
  };
}
