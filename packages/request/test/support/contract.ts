/** What holds for every framework, on real sockets. Each framework's tests say how a server is started. */
import { AsyncLocalStorage } from "node:async_hooks";
import { background, eventStream, setDeadline, stream } from "@corio/request";
import type { RequestStatistics, RequestTasksOptions } from "@corio/request";
import {
  ContextVar,
  createTask,
  currentTask,
  Event,
  isCancelledError,
  signal,
  sleep,
  timeout,
  until,
} from "corio";
import { VirtualClock } from "corio/testing";
import { assert, hostName, test } from "../../../corio/test/support/harness.ts";
import { seeded } from "../../../corio/test/support/seeded.ts";
import { RawClient, Signal } from "./client.ts";
import { testProxies } from "./proxies.ts";

/** A handler, whatever the framework: it can read the body, and gives a text or a response. */
export type Route = (text: () => Promise<string>) => Promise<string | Response>;

export interface TestServer {
  readonly port: number;
  statistics(): RequestStatistics;
  /** Refuses new requests, and waits for those under way. */
  close(): Promise<void>;
}

export interface StartOptions extends RequestTasksOptions {
  readonly allowHalfOpen?: boolean;
}

export type Start = (routes: Readonly<Record<string, Route>>, options?: StartOptions) => Promise<TestServer>;

/** Waits until no task is left. When one stays, the test's time runs out. */
export async function untilIdle(server: TestServer): Promise<void> {
  while (server.statistics().tasks > 0) await new Promise((resolve) => setImmediate(resolve));
}

/** A route that waits for ever, and tells when it was entered, and when its cleaning up, which takes time, is done. */
export class Endless {
  entered: Signal = new Signal();
  left: Signal = new Signal();
  entries = 0;
  exits = 0;
  readonly errors: unknown[] = [];

  readonly route: Route = async () => {
    this.entries++;
    this.entered.reach();
    try {
      await new Event().wait();
      return "never";
    } catch (error) {
      this.errors.push(error);
      throw error;
    } finally {
      await sleep(0.001);
      this.exits++;
      this.left.reach();
    }
  };
}

/** A route whose body waits for ever after its first piece; it reaches `left` when its cleaning up, which takes time, is done. */
export const endlessStream =
  (left: Signal): Route =>
  async () =>
    stream(async function* () {
      try {
        yield "first";
        await new Event().wait();
      } finally {
        await sleep(0.001);
        left.reach();
      }
    });

/** A test in which nothing may be printed as an error. */
export function quietTest(title: string, body: () => Promise<void>): void {
  test(title, () => withoutErrors(body));
}

async function withoutErrors(body: () => Promise<void>): Promise<void> {
  const printed: unknown[][] = [];
  const { error } = console;
  console.error = (...values: unknown[]) => void printed.push(values);
  try {
    await body();
  } finally {
    console.error = error;
  }
  assert.deepEqual(printed, []);
}

/** What not every server can do. */
export interface Abilities {
  /**
   * What it does with requests that come on one connection without waiting for answers: begins with all of them, or
   * with one after another. `Bun.serve` does the second, and while one is queued does not notice that the client has gone.
   */
  readonly pipelining: "at once" | "one by one" | "unwatched";
  /** Can be told to answer clients that have closed their half of the connection. */
  readonly halfOpen: boolean;
}

export function testContract(
  name: string,
  start: Start,
  abilities: Abilities = { pipelining: "at once", halfOpen: true },
): void {
  const contract = (title: string, body: () => Promise<void>): void => quietTest(`${name}: ${title}`, body);

  contract("a handler is a task, with a signal, context variables and AsyncLocalStorage", async () => {
    const variable = new ContextVar<string>("variable", { defaultValue: "unset" });
    const storage = new AsyncLocalStorage<string>();
    let aborted: boolean | undefined;
    const server = await start({
      "/": async () => {
        const before = variable.get();
        variable.set("set");
        return await storage.run("stored", async () => {
          await sleep(0);
          aborted = signal().aborted;
          return `${currentTask()?.getName() ?? "?"} ${before} ${variable.get()} ${storage.getStore() ?? "?"}`;
        });
      },
    });
    for (let i = 0; i < 2; i++) {
      const response = await fetch(`http://127.0.0.1:${server.port}/`);
      assert.equal(response.status, 200);
      assert.equal(await response.text(), "GET / unset set stored");
    }
    assert.equal(aborted, false);
    await untilIdle(server);
    await server.close();
  });

  contract("a GET whose client goes away is cancelled, and its cleaning up is waited for", async () => {
    const endless = new Endless();
    const server = await start({ "/": endless.route });
    const client = await RawClient.connect(server.port);
    client.get("/");
    await endless.entered.reached;
    client.cut();
    await endless.left.reached;
    assert.ok(isCancelledError(endless.errors[0]));
    await untilIdle(server);
    await server.close();
  });

  contract("a POST is not cancelled when its body has been read, but when its client goes away", async () => {
    const endless = new Endless();
    const server = await start({
      "/echo": async (text) => {
        const body = await text();
        const own = signal();
        for (let i = 0; i < 5; i++) await sleep(0.002);
        return `${body} ${own.aborted ? "aborted" : "fine"}`;
      },
      "/endless": async (text) => {
        await text();
        return await endless.route(text);
      },
    });
    const client = await RawClient.connect(server.port);
    client.post("/echo", "hello");
    await client.until("hello fine");
    client.post("/endless", "hello");
    await endless.entered.reached;
    client.cut();
    await endless.left.reached;
    await untilIdle(server);
    await server.close();
  });

  contract("requests on one connection after another do not disturb each other", async () => {
    const endless = new Endless();
    const server = await start({
      "/quick": async () => {
        await sleep(0);
        return "quick";
      },
      "/endless": endless.route,
    });
    const client = await RawClient.connect(server.port);
    for (let i = 1; i <= 3; i++) {
      client.get("/quick");
      while (client.received.split("quick").length <= i) await client.until("quick").then(() => sleepTurn());
    }
    await untilIdle(server);
    client.get("/endless");
    await endless.entered.reached;
    client.cut();
    await endless.left.reached;
    assert.equal(endless.exits, 1);
    await untilIdle(server);
    await server.close();
  });

  const pipelined = (title: string, body: () => Promise<void>): void => {
    if (abilities.pipelining === "unwatched") test.skip(title, body);
    else quietTest(title, body);
  };
  pipelined(
    `${name}: of pipelined requests, all that have begun are cancelled when the connection is cut`,
    async () => {
      const endless = new Endless();
      const begun = abilities.pipelining === "at once" ? 12 : 1;
      const all = new Signal();
      const server = await start({
        "/": async (text) => {
          if (endless.entries === begun - 1) all.reach();
          return await endless.route(text);
        },
      });
      const client = await RawClient.connect(server.port);
      client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(12));
      await all.reached;
      client.cut();
      await untilIdle(server);
      assert.ok(endless.entries >= begun);
      assert.equal(endless.exits, endless.entries);
      await server.close();
    },
  );

  if (abilities.pipelining === "at once") {
    contract("requests in the pipeline are answered when the server closes", async () => {
      const all = new Signal();
      const release = new Signal();
      let begun = 0;
      const server = await start({
        "/": async () => {
          const number = ++begun;
          if (number === 3) all.reach();
          await until(release.reached);
          return `answer ${number}`;
        },
      });
      const client = await RawClient.connect(server.port);
      client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(3));
      await all.reached;
      const closed = server.close();
      release.reach();
      await client.until("answer 3");
      client.cut();
      await closed;
    });
  }

  contract("a connection whose stream began before the server closes is closed with it", async () => {
    const release = new Signal();
    const server = await start({
      "/": async () =>
        stream(async function* () {
          yield "first";
          await until(release.reached);
          yield "last";
        }),
    });
    const client = await RawClient.connect(server.port);
    client.get("/");
    await client.until("first");
    const closed = server.close();
    await sleepTurn();
    release.reach();
    await client.until("last");
    // Bun leaves it open, as long as it does with idle ones. With Node's server of Fastify that would be 72 seconds.
    if (hostName === "bun") client.cut();
    await closed;
    await client.closed();
  });

  contract("an upload that is cut in the middle leaves nothing behind", async () => {
    let reached = false;
    const server = await start({
      "/": async (text) => {
        await text();
        reached = true;
        return "whole";
      },
      "/other": async () => "other",
    });
    const client = await RawClient.connect(server.port);
    client.write(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n",
    );
    client.write("\r\n5\r\nhello\r\n100\r\nonly a part");
    await sleepTurn();
    client.cut();
    await client.closed();
    const other = await fetch(`http://127.0.0.1:${server.port}/other`);
    assert.equal(await other.text(), "other");
    await untilIdle(server);
    assert.ok(!reached);
    await server.close();
  });

  contract("a half-closed connection is one that was closed, unless the server allows it", async () => {
    const endless = new Endless();
    const strict = await start({ "/": endless.route });
    const first = await RawClient.connect(strict.port, { allowHalfOpen: true });
    first.get("/");
    await endless.entered.reached;
    first.socket.end();
    await endless.left.reached;
    first.cut();
    await untilIdle(strict);
    await strict.close();
    if (!abilities.halfOpen) return;

    const entered = new Signal();
    const release = new Signal();
    const tolerant = await start(
      {
        "/": async () => {
          entered.reach();
          await until(release.reached);
          return "answered";
        },
      },
      { allowHalfOpen: true },
    );
    const second = await RawClient.connect(tolerant.port, { allowHalfOpen: true });
    second.get("/");
    await entered.reached;
    second.socket.end();
    await new Promise((resolve) => second.socket.once("finish", resolve));
    for (let i = 0; i < 10; i++) await sleepTurn();
    release.reach();
    await second.until("answered");
    second.cut();
    await untilIdle(tolerant);
    await tolerant.close();
  });

  testProxies(name, start, abilities);

  contract("a streamed body is cancelled after the first byte, and its finally runs", async () => {
    const left = new Signal();
    const server = await start({
      "/": endlessStream(left),
    });
    const client = await RawClient.connect(server.port);
    client.get("/");
    await client.until("first");
    assert.equal(server.statistics().requests, 1);
    client.cut();
    await left.reached;
    await untilIdle(server);
    await server.close();
  });

  contract("a source that comes to its end when it is cancelled is no failure", async () => {
    const left = new Signal();
    const server = await start({
      "/": async () =>
        stream(async function* () {
          yield "first";
          try {
            await new Event().wait();
          } catch (error) {
            if (!isCancelledError(error)) throw error;
          }
          left.reach();
        }),
    });
    const client = await RawClient.connect(server.port);
    client.get("/");
    await client.until("first");
    client.cut();
    await left.reached;
    await untilIdle(server);
    await server.close();
  });

  contract("a body that is longer than what the client reads waits for it", async () => {
    let made = 0;
    const left = new Signal();
    const server = await start({
      "/": async () =>
        stream(async function* () {
          try {
            for (; made < 5000; made++) {
              yield new Uint8Array(16_384);
              await sleep(0);
            }
          } finally {
            left.reach();
          }
        }),
    });
    const client = await RawClient.connect(server.port);
    client.socket.pause();
    client.get("/");
    // It comes to a stop when all buffers are full.
    for (let last = -1, same = 0; same < 50; last = made) {
      await sleepTurn();
      same = made === last && made > 0 ? same + 1 : 0;
    }
    assert.ok(made < 5000, `${made} of 5000 pieces`);
    client.cut();
    await left.reached;
    await untilIdle(server);
    await server.close();
  });

  contract("an event stream is what EventSource reads", async () => {
    const server = await start({
      "/": async () =>
        eventStream(async function* () {
          yield { data: "one\ntwo", event: "kind", id: "7" };
          await sleep(0);
          yield { data: { three: 3 }, retry: 0.1, comment: "hi" };
        }),
    });
    const response = await fetch(`http://127.0.0.1:${server.port}/`);
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    assert.equal(
      await response.text(),
      'event: kind\nid: 7\ndata: one\ndata: two\n\n: hi\nretry: 100\ndata: {"three":3}\n\n',
    );
    await untilIdle(server);
    await server.close();
  });

  contract("a handler that takes too long is cancelled, and answered with 504", async () => {
    const endless = new Endless();
    const server = await start(
      {
        "/": endless.route,
        "/own": async () => await timeout(5, async () => await endless.route(async () => "")),
        "/longer": async () => {
          setDeadline({ minutes: 10 });
          await sleep(599);
          return "in time";
        },
      },
      { clock: new VirtualClock(), deadline: 30 },
    );
    for (const [path, status] of [
      ["/", 504],
      ["/own", 504],
      ["/longer", 200],
    ] as const) {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
      assert.equal(response.status, status);
      await response.text();
    }
    assert.equal(endless.exits, 2);
    await untilIdle(server);
    await server.close();
  });

  contract("tasks that are left over end with the request; background tasks do not", async () => {
    const log: string[] = [];
    const release = new Event();
    const server = await start({
      "/": async () => {
        createTask(async () => {
          try {
            await new Event().wait();
          } finally {
            await sleep(0.001);
            log.push("left over: ended");
          }
        });
        background(async () => {
          await release.wait();
          createTask(async () => log.push("background: its own task"));
          await sleep(0);
          log.push("background: done");
        });
        await sleep(0);
        return "answer";
      },
    });
    const response = await fetch(`http://127.0.0.1:${server.port}/`);
    assert.equal(await response.text(), "answer");
    while (server.statistics().requests > 0) await sleepTurn();
    assert.deepEqual(log, ["left over: ended"]);
    const closed = server.close();
    assert.equal(server.statistics().tasks > 0, true);
    release.set();
    await closed;
    assert.deepEqual(log, ["left over: ended", "background: its own task", "background: done"]);
  });

  contract("closing waits for requests, and cancels those that take too long", async () => {
    const endless = new Endless();
    const release = new Event();
    const entered = new Signal();
    let count = 0;
    // It stands still until those that do not take too long are answered, which a busy machine may need its time for.
    let begin: number | null = null;
    const clock = { time: (): number => (begin === null ? 0 : performance.now() / 1000 - begin) };
    const server = await start(
      {
        "/": async () => {
          if (++count === 20) entered.reach();
          await release.wait();
          return "answered";
        },
        "/endless": endless.route,
      },
      { clock, shutdownDeadline: 0.2 },
    );
    const answers = Array.from({ length: 20 }, async () => {
      const response = await fetch(`http://127.0.0.1:${server.port}/`, { headers: { connection: "close" } });
      return await response.text();
    });
    const late = fetch(`http://127.0.0.1:${server.port}/endless`);
    await entered.reached;
    await endless.entered.reached;
    const closed = server.close();
    release.set();
    assert.deepEqual(new Set(await Promise.all(answers)), new Set(["answered"]));
    begin = performance.now() / 1000;
    const response = await late;
    assert.equal(response.status, 503);
    await response.text();
    await closed;
    assert.equal(endless.exits, 1);
    assert.equal(server.statistics().tasks, 0);
  });

  contract("of 1,000 requests with clients that go away at random, nothing is left", async () => {
    const random = seeded(20_240_607);
    let entries = 0;
    let exits = 0;
    let cancels = 0;
    let cleanedUp = 0;
    /** Counts, and cleans up in a way that takes time when it is cancelled. */
    async function* counted<T>(body: () => AsyncIterable<T>): AsyncGenerator<T> {
      entries++;
      try {
        yield* body();
      } catch (error) {
        // A body that was cut may fail before the cancel comes.
        if (isCancelledError(error)) {
          cancels++;
          await sleep(0.001);
          cleanedUp++;
        }
        throw error;
      } finally {
        exits++;
      }
    }
    const server = await start({
      "/": async (text) => {
        const handling = counted(async function* () {
          await text();
          for (let i = 0; i < 4; i++) await sleep(0.001 * Math.floor(random() * 4));
          createTask(new Event().wait());
          yield;
        });
        for await (const _ of handling);
        const pieces = async function* (): AsyncGenerator<string> {
          for (let i = 0; i < 4; i++) {
            yield "piece";
            await sleep(0.001 * Math.floor(random() * 3));
          }
          yield "the end";
        };
        return stream(counted(pieces));
      },
      "/endless": async () =>
        stream(
          counted(async function* () {
            yield "piece";
            await new Event().wait();
          }),
        ),
    });
    let whole = 0;
    let cut = 0;
    const visit = async (): Promise<void> => {
      const client = await RawClient.connect(server.port);
      const turns = Math.floor(random() * 60);
      const choice = random();
      if (choice < 0.2) client.get("/endless");
      else if (choice < 0.6) client.get("/");
      else client.post("/", "a body");
      if (choice < 0.2) {
        await client.until("piece");
        cut++;
      } else if (random() < 0.4) {
        await client.until("the end");
        whole++;
      } else for (let i = 0; i < turns; i++) await sleepTurn();
      client.cut();
      await client.closed();
    };
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 50 }, visit));
    await untilIdle(server);
    assert.equal(exits, entries);
    assert.equal(cleanedUp, cancels);
    assert.ok(cancels >= cut && cut > 100 && whole > 200, JSON.stringify({ cancels, cut, whole }));
    await server.close();
  });
}

/** The host's own turn: sockets are looked at. */
export function sleepTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
