// Tests of the harness itself. `scripts/test-harness.mjs` tests that failures are reported as failures.
import { assert, describe, test } from "./support/harness.ts";

describe("harness", () => {
  test("equal compares strictly", () => {
    assert.equal(Number.NaN, Number.NaN);
    assert.throws(() => {
      assert.equal("1", 1);
    }, /expected '1' to equal 1/);
    assert.throws(() => {
      assert.equal(0, -0);
    }, /-0/);
  });

  test("deepEqual compares structures strictly", () => {
    assert.deepEqual({ a: [1, new Map([["k", 2]])] }, { a: [1, new Map([["k", 2]])] });
    assert.throws(() => {
      assert.deepEqual([1], ["1"]);
    });
  });

  test("throws returns the error of the expected class", () => {
    const error = assert.throws(() => {
      throw new RangeError("too far");
    }, RangeError);
    assert.equal(error.message, "too far");
  });

  test("throws passes on an error of another class", () => {
    const thrown = assert.throws(() =>
      assert.throws(() => {
        throw new TypeError("other");
      }, RangeError),
    );
    assert.instanceOf(thrown, TypeError);
  });

  test("rejects fails when nothing is rejected", async () => {
    await assert.rejects(
      assert.rejects(async () => {
        await Promise.resolve();
      }),
      /expected the work to reject/,
    );
  });
});
