import { createTask, gather, isCancelledError, wait } from "corio";
import type { Task } from "corio";
import { assert, describe } from "../../corio/test/support/harness.ts";
import { seeded } from "../../corio/test/support/seeded.ts";
import { databaseTest, TestDatabase, withPool } from "./support/database.ts";

const QUERIES = 10_000;
const TASKS = 200;
const SIZE = 20;
/** Of a hundred queries that many are cancelled at some moment. */
const CANCELLED_PERCENT = 30;

const database = new TestDatabase();

interface Tally {
  right: number;
  wrong: number;
  cancelled: number;
  /** Ended with another error, which nobody asked for. */
  killed: unknown[];
}

describe("ten thousand queries, cancelled at random moments", () => {
  databaseTest("each get their own answer or their own cancel, and the pool stays whole", () =>
    withPool(database.options({ maxSize: SIZE, minSize: SIZE }), async (pool) => {
      await pool.open();
      const random = seeded(20261121);
      const tally: Tally = { right: 0, wrong: 0, cancelled: 0, killed: [] };
      let next = 0;
      let cancelsAsked = 0;

      // Short ones and longer ones; alone, in transactions, prepared, and streamed.
      const ask = (n: number, kind: number) => {
        if (kind < 0.5) return pool.fetchValue<number>("SELECT ?", [n]);
        if (kind < 0.7) return pool.fetchValue<number>("SELECT ? + SLEEP(0.002)", [n]);
        if (kind < 0.85) {
          return pool.transaction((connection) =>
            connection.fetchValue<number>("SELECT ? + SLEEP(0.001)", [n]),
          );
        }
        if (kind < 0.95) {
          return pool.with(async (connection) => {
            await using statement = await connection.prepare("SELECT CAST(? AS SIGNED) + SLEEP(0.001)");
            return await statement.fetchValue<number>([n]);
          });
        }
        return pool.with(async (connection) => {
          let last: number | null = null;
          // The loop is left long before the end.
          for await (const row of connection.stream<{ seq: number }>(
            `SELECT seq + ${n} - 1 AS seq FROM seq_1_to_3000`,
          )) {
            last = row.seq;
            break;
          }
          return last;
        });
      };

      const one = async (n: number) => {
        const query: Task<number | null> = createTask(ask(n, random()));
        if (random() * 100 < CANCELLED_PERCENT) {
          // From before it is sent, over the wait for a connection and the answer, to after it.
          await wait([query], { timeout: random() < 0.2 ? 0 : random() * 0.03 });
          if (query.cancel()) cancelsAsked++;
        }
        try {
          if ((await query) === n) tally.right++;
          else tally.wrong++;
        } catch (error) {
          if (isCancelledError(error) && query.cancelling() > 0) tally.cancelled++;
          else tally.killed.push(error);
        }
      };
      const worker = async () => {
        while (next < QUERIES) await one(next++);
      };
      await gather(Array.from({ length: TASKS }, () => createTask(worker)));

      if (process.env["VERBOSE"] !== undefined) console.log({ ...tally, cancelsAsked });
      assert.deepEqual([tally.wrong, tally.killed.map(String)], [0, []]);
      assert.equal(tally.right + tally.cancelled, QUERIES);
      assert.ok(tally.cancelled > QUERIES / 20, `${tally.cancelled} were cancelled`);
      assert.ok(tally.right > QUERIES / 2, `${tally.right} were answered`);
      assert.ok(cancelsAsked >= tally.cancelled);
      const { size, idle, leased, tasksWaiting, destroyed } = pool.statistics();
      assert.deepEqual(
        { size, idle, leased, tasksWaiting, destroyed },
        { size: SIZE, idle: SIZE, leased: 0, tasksWaiting: 0, destroyed: 0 },
      );
      await database.until(SIZE, "COMMAND = 'Sleep'");
      assert.equal(await database.count("TRUE"), SIZE);
    }),
  );
});
