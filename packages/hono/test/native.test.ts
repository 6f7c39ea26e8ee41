/** The hosts that serve by themselves: there the request's signal is what tells that the client has gone. */
import { corio, onError } from "@corio/hono";
import { Hono } from "hono";
import { hostName } from "../../corio/test/support/harness.ts";
import { testContract } from "../../request/test/support/contract.ts";
import type { Start } from "../../request/test/support/contract.ts";

interface Bun {
  serve(options: { port: number; hostname: string; fetch: unknown }): { port: number; stop(): Promise<void> };
}

interface Deno {
  serve(
    options: { port: number; hostname: string; onListen: () => void },
    fetch: unknown,
  ): { addr: { port: number }; shutdown(): Promise<void> };
}

const hosts = globalThis as unknown as { Bun: Bun; Deno: Deno };

function serve(fetch: unknown): { port: number; stop: () => Promise<void> } {
  const options = { port: 0, hostname: "127.0.0.1" };
  if (hostName === "bun") {
    const server = hosts.Bun.serve({ ...options, fetch });
    return { port: server.port, stop: () => server.stop() };
  }
  const server = hosts.Deno.serve({ ...options, onListen: () => undefined }, fetch);
  return { port: server.addr.port, stop: () => server.shutdown() };
}

const start: Start = async (routes, options) => {
  const requests = corio(options);
  const app = new Hono();
  app.use(requests);
  app.onError(onError());
  for (const [path, route] of Object.entries(routes)) {
    app.all(path, async (c) => {
      const answer = await route(() => c.req.text());
      return typeof answer === "string" ? c.text(answer) : answer;
    });
  }
  const server = serve(app.fetch);
  return {
    port: server.port,
    statistics: () => requests.statistics(),
    close: async () => {
      await requests.close();
      await server.stop();
    },
  };
};

if (hostName === "bun") testContract("Bun.serve", start, { pipelining: "unwatched", halfOpen: false });
if (hostName === "deno") testContract("Deno.serve", start, { pipelining: "one by one", halfOpen: true });
