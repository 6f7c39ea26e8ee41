import { run } from "corio";
import { exchange, Flight } from "corio/pool";
import { VirtualClock } from "corio/testing";
import { assert, describe, test } from "../support/harness.ts";

describe("Flight", () => {
  test("gives what it concludes with, to all who wait, before and after its end", async () => {
    let concluded = 0;
    const flight = new Flight(() => ++concluded);
    const early = [flight, flight];
    const waiting = Promise.all(early);
    assert.equal(flight.isOver, false);
    flight.end();
    flight.end();
    assert.equal(flight.isOver, true);
    assert.deepEqual(await waiting, [1, 1]);
    assert.equal(await flight, 1);
  });

  test("fails by what conclude throws, which knows the first that went wrong", async () => {
    const flight: Flight<string> = new Flight<string>(() => {
      throw flight.failure?.error as Error;
    });
    flight.fail(new Error("first"));
    flight.fail(new Error("second"));
    assert.equal(flight.isOver, false);
    flight.end();
    await assert.rejects(flight, /first/);
    // Nobody has to wait for it: it is no promise that would be reported.
    new Flight(() => assert.fail("unseen")).end();
  });

  test("says that it is over before it concludes", () => {
    const steps: string[] = [];
    const flight = new Flight(() => steps.push("concluded"));
    flight.onOver = () => steps.push("over");
    flight.listen({ resolve: () => steps.push("told"), reject: () => assert.fail("it has not failed") });
    flight.end();
    flight.listen({ resolve: () => steps.push("told late"), reject: () => assert.fail("it has not failed") });
    assert.deepEqual(steps, ["over", "concluded", "told", "told late"]);
  });

  test("is what exchange waits for", () =>
    run(
      async () => {
        const flights: Flight<string>[] = [];
        const send = (text: string) => () => {
          const flight = new Flight(() => {
            if (flight.failure !== null) throw flight.failure.error;
            return text;
          });
          flights.push(flight);
          setTimeout(() => {
            if (text === "bad") flight.fail(new RangeError(text));
            flight.end();
          });
          return flight;
        };
        const options = { cancel: null, drop: () => assert.fail("nothing was cancelled"), cancelTimeout: 1 };
        assert.equal(await exchange(send("good"), options), "good");
        await assert.rejects(exchange(send("bad"), options), RangeError);
        assert.equal(flights.length, 2);
      },
      { clock: new VirtualClock() },
    ));
});
