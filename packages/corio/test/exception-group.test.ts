import { ArgumentTypeError, CorioError, ExceptionGroup, ValueError } from "corio";
import { assert, describe, test } from "./support/harness.ts";
import { shapeOf } from "./support/blocks.ts";

const make = (): ExceptionGroup =>
  new ExceptionGroup("outer", [
    new TypeError("t1"),
    new ExceptionGroup("inner", [new RangeError("r1"), new TypeError("t2")]),
    new RangeError("r2"),
  ]);

describe("ExceptionGroup", () => {
  test("is an AggregateError with a code and a name", () => {
    const group = make();
    assert.instanceOf(group, AggregateError);
    assert.instanceOf(group, CorioError);
    assert.equal(group.name, "ExceptionGroup");
    assert.equal(group.code, "CORIO_EXCEPTION_GROUP");
    assert.equal(group.message, "outer");
    assert.equal(group.exceptions, group.errors);
    assert.match(group.stack ?? "", /^ExceptionGroup: outer/);
    assert.equal(new ExceptionGroup("m", [1], { cause: "why" }).cause, "why");
  });

  test("is known by its brand, subclasses by their prototypes", () => {
    class Mine extends ExceptionGroup {}
    const stranger = Object.create({
      [Symbol.for("corio.error.brands")]: ["ExceptionGroup", "CorioError"],
    }) as unknown;
    assert.equal(stranger instanceof ExceptionGroup, true);
    assert.equal(stranger instanceof Mine, false);
    assert.equal(new Mine("m", [1]) instanceof Mine, true);
    assert.equal(new Mine("m", [1]) instanceof ExceptionGroup, true);
    assert.equal(make() instanceof Mine, false);
    assert.equal((new AggregateError([1]) as unknown) instanceof ExceptionGroup, false);
    assert.equal((null as unknown) instanceof ExceptionGroup, false);
  });

  test("split keeps the nesting, the message and the cause of both parts", () => {
    const group = make();
    group.cause = "why";
    const [matching, rest] = group.split(TypeError);
    assert.ok(matching);
    assert.ok(rest);
    assert.deepEqual(shapeOf(matching), ["TypeError: t1", ["TypeError: t2"]]);
    assert.deepEqual(shapeOf(rest), [["RangeError: r1"], "RangeError: r2"]);
    for (const part of [matching, rest]) {
      assert.equal(part.message, "outer");
      assert.equal(part.cause, "why");
      assert.equal(part.stack, group.stack);
    }
    assert.equal((matching.errors[1] as ExceptionGroup).message, "inner");
  });

  test("split gives null for an empty part", () => {
    const group = make();
    assert.deepEqual(group.split(SyntaxError)[0], null);
    assert.deepEqual(shapeOf(group.split(SyntaxError)[1]), shapeOf(group));
    assert.deepEqual(shapeOf(group.split([TypeError, RangeError])[0]), shapeOf(group));
    assert.equal(group.split([TypeError, RangeError])[1], null);
  });

  test("a condition that holds for a group takes it whole", () => {
    const group = make();
    assert.equal(group.subgroup(ExceptionGroup), group);
    assert.deepEqual(
      group.split(() => true),
      [group, null],
    );
    const inner = group.subgroup((error) => error instanceof Error && error.message === "inner");
    assert.deepEqual(shapeOf(inner), [["RangeError: r1", "TypeError: t2"]]);
    assert.equal(inner?.errors[0], group.errors[1]);
  });

  test("a predicate sees the groups and the errors, but not what is inside a group that it took", () => {
    const seen: string[] = [];
    make().subgroup((error) => {
      seen.push((error as Error).message);
      return (error as Error).message === "inner";
    });
    assert.deepEqual(seen, ["outer", "t1", "inner", "r2"]);
  });

  test("derive decides the class of the parts", () => {
    class Mine<E> extends ExceptionGroup<E> {
      override derive<Part>(errors: readonly Part[]): Mine<Part> {
        return new Mine<Part>(this.message, errors);
      }
    }
    const [matching, rest] = new Mine("mine", [new TypeError("t"), new RangeError("r")]).split(TypeError);
    assert.instanceOf(matching, Mine);
    assert.instanceOf(rest, Mine);
  });

  test("refuses what is no group", () => {
    assert.throws(() => new ExceptionGroup("m", []), ValueError);
    assert.throws(() => new ExceptionGroup("m", "errors" as never), ArgumentTypeError);
    assert.throws(() => new ExceptionGroup(1 as never, [1]), ArgumentTypeError);
    assert.throws(() => make().split([] as never), ArgumentTypeError);
    assert.throws(() => make().subgroup("TypeError" as never), ArgumentTypeError);
  });
});
