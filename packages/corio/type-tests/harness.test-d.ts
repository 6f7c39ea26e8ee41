// A test of the type tests themselves, to be deleted when there are others. tsc checks these files; none is run.
import { expectTypeOf } from "expect-type";

expectTypeOf([1, 2]).toEqualTypeOf<number[]>();
// @ts-expect-error: a type test that does not hold is an error.
expectTypeOf("text").toEqualTypeOf<number>();
