import { CancelledError, createTask, run, sleep } from "corio";
import { ConnectError, createPool, listen } from "@corio/postgres";
import type { ListenEvent, ListenOptions } from "@corio/postgres";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { Proxy } from "../../corio/test/support/servers/proxy.ts";
import { StillClock } from "../../corio/test/support/servers/still-clock.ts";
import { databaseTest, TestSchema } from "./support/database.ts";

const schema = new TestSchema();
// Channels are the whole database's: other test runs are in it as well.
const channel = schema.name;
const other = `${schema.name} other`;
const isListening = "query LIKE 'LISTEN%' AND state = 'idle'";

const notify = (payload: string) => schema.admin.execute("SELECT pg_notify($1, $2)", [channel, payload]);

/** Reads events in a task until `isLast` says so; they are there as they come. */
function read(events: AsyncIterable<ListenEvent>, isLast: (event: ListenEvent) => boolean) {
  const seen: ListenEvent[] = [];
  const task = createTask(async () => {
    for await (const event of events) {
      seen.push(event);
      if (isLast(event)) break;
    }
  });
  return { seen, task };
}

const payloads = (events: readonly ListenEvent[]): string[] =>
  events.map((event) => (event.kind === "notification" ? event.payload : `${event.reason} ${event.lost}`));

const isPayload = (payload: string) => (event: ListenEvent) =>
  event.kind === "notification" && event.payload === payload;

function listenTo(options: ListenOptions = {}): AsyncIterableIterator<ListenEvent> {
  return listen(schema.options(), [channel, other], options);
}

/** The connections of the test before must have gone: it is by the server's list of them that we know who listens. */
function listenTest(title: string, body: () => Promise<void>): void {
  databaseTest(title, () =>
    run(async () => {
      await schema.until(0, "true");
      await body();
    }),
  );
}

describe("listening", () => {
  listenTest(
    "gives notifications in their order, and closes its connection when the loop is left",
    async () => {
      const { seen, task } = read(listenTo(), isPayload("last"));
      await schema.until(1, isListening);
      await notify("first");
      await schema.admin.execute(`NOTIFY "${other}"`);
      await notify("last");
      await task;
      assert.deepEqual(payloads(seen), ["first", "", "last"]);
      const [first, second] = seen;
      assert.ok(first?.kind === "notification" && second?.kind === "notification");
      assert.deepEqual([first.channel, second.channel], [channel, other]);
      assert.ok(first.processId > 0);
      await schema.until(0, "true");
    },
  );

  listenTest("connects again when its connection is lost, and tells of the gap", async () => {
    const { seen, task } = read(listenTo(), isPayload("after"));
    await schema.until(1, isListening);
    await notify("before");
    while (seen.length === 0) await sleep(0.001);
    await schema.admin.execute(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
      [schema.name],
    );
    while (seen.length === 1) await sleep(0.001);
    await notify("after");
    await task;
    assert.deepEqual(payloads(seen), ["before", "reconnected null", "after"]);
    assert.match(String(seen[1]?.kind === "gap" && seen[1].cause), /terminating connection/);
  });

  databaseTest("finds out by its heartbeat that nobody is there any more", async () => {
    // On this clock time passes when it is told to: a server that is slow is not taken for one that is gone.
    const clock = new StillClock();
    const test = async () => {
      await using proxy = await Proxy.to({ host: "127.0.0.1", port: 5432 });
      // A pool is of one clock.
      await using admin = createPool(schema.options({ applicationName: "admin" }));
      const tell = (payload: string) => admin.execute("SELECT pg_notify($1, $2)", [channel, payload]);
      const options = schema.options({ port: proxy.port, cancelTimeout: 1, connectTimeout: { days: 1 } });
      const { seen, task } = read(listen(options, channel, { heartbeat: 1 }), isPayload("after"));
      while (seen.length === 0) await tell("before");
      proxy.mute();
      const isGap = ({ kind }: ListenEvent): boolean => kind === "gap";
      await clock.passUntil(() => seen.some(isGap));
      await tell("after");
      await task;
      assert.deepEqual(payloads(seen.slice(seen.findIndex(isGap))), ["reconnected null", "after"]);
    };
    await run(test, { clock });
  });

  listenTest("tells how many were lost when the loop is too slow", async () => {
    const events = listenTo({ maxBuffered: 3 });
    const first = createTask(async () => ({ event: await events.next() }));
    await schema.until(1, isListening);
    await notify("0");
    await first;
    await schema.admin.execute("SELECT pg_notify($1, n::text) FROM generate_series(1, 10) n", [channel]);
    // Of one transaction: they arrive together.
    const seen: ListenEvent[] = [];
    for (let count = 0; count < 4; count++) {
      const { value } = (await events.next()) as IteratorYieldResult<ListenEvent>;
      seen.push(value);
    }
    assert.deepEqual(payloads(seen), ["1", "2", "3", "overflow 7"]);
    await events.return?.();
  });

  listenTest("can be cancelled, and throws what the first attempt to connect throws", async () => {
    const { task } = read(listenTo(), () => false);
    await schema.until(1, isListening);
    task.cancel();
    await assert.rejects(task, CancelledError);
    await schema.until(0, "true");
    await assert.rejects(listen(schema.options({ port: 1 }), channel).next(), ConnectError);
    assert.throws(() => listen(schema.options(), []), /name of a channel/);
  });

  listenTest("goes on after a next that was cancelled", async () => {
    const events = listenTo();
    const cancelled = createTask(async () => await events.next());
    await schema.until(1, isListening);
    cancelled.cancel();
    await assert.rejects(cancelled, CancelledError);
    await notify("after");
    const { value } = (await events.next()) as IteratorYieldResult<ListenEvent>;
    assert.deepEqual(payloads([value]), ["after"]);
    await events.return?.();
  });
});
