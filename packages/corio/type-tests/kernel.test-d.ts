/* eslint-disable @typescript-eslint/no-floating-promises, @typescript-eslint/require-await, @typescript-eslint/no-empty-function, @typescript-eslint/no-invalid-void-type -- nothing here is run */
// The types of the kernel. tsc checks these files; none is run.
import {
  aclosing,
  Context,
  ContextVar,
  coroutine,
  createTask,
  currentTask,
  ensureFuture,
  gather,
  getRunningLoop,
  run,
  Runner,
  sleep,
  until,
} from "corio";
import type { Coroutine, EventLoop, Future, Task, Waitable } from "corio";
import { expectTypeOf } from "expect-type";

// ── coroutine ───────────────────────────────────────────────────────────────────────────────────────────────────────

const fetchData = coroutine(async function fetchData(url: string, retries?: number) {
  await sleep(retries ?? 0);
  return url.length;
});
expectTypeOf(fetchData).parameters.toEqualTypeOf<[url: string, retries?: number | undefined]>();
expectTypeOf(fetchData("x")).toEqualTypeOf<Coroutine<number>>();
// @ts-expect-error: a parameter of another type
fetchData(5);
// @ts-expect-error: too few arguments
fetchData();

const generated = coroutine(function* generated(count: number, ...names: string[]) {
  const text = yield* sleep(1, "text");
  expectTypeOf(text).toEqualTypeOf<string>();
  const future = getRunningLoop().createFuture<boolean>();
  const flag = yield* future;
  expectTypeOf(flag).toEqualTypeOf<boolean>();
  const length = yield* fetchData(text);
  expectTypeOf(length).toEqualTypeOf<number>();
  const both = yield* gather(sleep(0, "a"), sleep(0, 1));
  expectTypeOf(both).toEqualTypeOf<[string, number]>();
  yield;
  return { count, names };
});
expectTypeOf(generated).parameters.toEqualTypeOf<[count: number, ...names: string[]]>();
expectTypeOf(generated(1, "a")).toEqualTypeOf<Coroutine<{ count: number; names: string[] }>>();

const identity = coroutine(async function identity<T>(value: T) {
  await sleep(0);
  return value;
});
expectTypeOf(identity(["text"].join())).toEqualTypeOf<Coroutine<string>>();
expectTypeOf(identity({ answer: 42 })).toEqualTypeOf<Coroutine<{ answer: number }>>();

const generatedIdentity = coroutine(function* generatedIdentity<T>(value: T) {
  yield* sleep(0);
  return value;
});
expectTypeOf(generatedIdentity(Number("5"))).toEqualTypeOf<Coroutine<number>>();

// A default value gives its parameter the type, as in any function.
const withDefault = coroutine(async function withDefault(url: string, retries = 3, { deep = false } = {}) {
  expectTypeOf(retries).toEqualTypeOf<number>();
  expectTypeOf(deep).toEqualTypeOf<boolean>();
  return url;
});
expectTypeOf(withDefault).parameters.toEqualTypeOf<
  [url: string, retries?: number | undefined, options?: { deep?: boolean | undefined } | undefined]
>();
expectTypeOf(withDefault("x")).toEqualTypeOf<Coroutine<string>>();
// @ts-expect-error: not of the default value's type
withDefault("x", "3");
const generatedWithDefault = coroutine(function* generatedWithDefault<T>(value: T, times = 1) {
  expectTypeOf(times).toEqualTypeOf<number>();
  yield* sleep(times);
  return [value];
});
expectTypeOf(generatedWithDefault(Boolean(1), 2)).toEqualTypeOf<Coroutine<boolean[]>>();

// Type parameters that only tie parameters to one another.
const forEach = coroutine(async function forEach<T>(items: readonly T[], body: (item: T) => Promise<void>) {
  for (const item of items) await body(item);
});
expectTypeOf(forEach([1], async (item: number) => sleep(item))).toEqualTypeOf<Coroutine<void>>();
// @ts-expect-error: the body is for other items
forEach([1], async (item: string) => sleep(item.length));

// @ts-expect-error: a parameter has no type
coroutine(async (_value) => {});

const nothing = coroutine(async () => {});
expectTypeOf(nothing).toBeCallableWith();
expectTypeOf(nothing()).toEqualTypeOf<Coroutine<void>>();

// @ts-expect-error: not an asynchronous function
coroutine((value: number) => value + 1);
// @ts-expect-error: not a function
coroutine(5);

class Client {
  base = "https://example.com";

  @coroutine
  async fetch(path: string): Promise<number> {
    await sleep(0);
    return (this.base + path).length;
  }
}
expectTypeOf(new Client().fetch("/")).toExtend<Promise<number>>();

const method = coroutine(async function method(this: Client, path: string) {
  return this.base + path;
});
expectTypeOf<ThisParameterType<typeof method>>().toEqualTypeOf<Client>();
expectTypeOf(method.call(new Client(), "/")).toEqualTypeOf<Coroutine<string>>();
// @ts-expect-error: without its object
method("/");

// A coroutine, a future and a task go where a promise goes.
expectTypeOf<Coroutine<string>>().toExtend<Promise<string>>();
expectTypeOf<Future<string>>().toExtend<Promise<string>>();
expectTypeOf<Task<string>>().toExtend<Promise<string>>();
expectTypeOf<Task<string>>().toExtend<Future<string>>();
expectTypeOf<Awaited<Coroutine<string>>>().toEqualTypeOf<string>();

// ── createTask ──────────────────────────────────────────────────────────────────────────────────────────────────────

expectTypeOf(createTask(fetchData("x"))).toEqualTypeOf<Task<number>>();
expectTypeOf(createTask(async () => "thunk")).toEqualTypeOf<Task<string>>();
expectTypeOf(createTask(() => sleep(1, "slept" as string))).toEqualTypeOf<Task<string>>();
declare const future: Future<Date>;
expectTypeOf(createTask(future)).toEqualTypeOf<Task<Date>>();
expectTypeOf(createTask(future).result()).toEqualTypeOf<Date>();
expectTypeOf(createTask(future).exception()).toEqualTypeOf<unknown>();
declare const promise: Promise<number>;
// @ts-expect-error: it already runs
createTask(promise);
// @ts-expect-error: not an option
createTask(fetchData("x"), { label: "x" });
expectTypeOf(currentTask()).toEqualTypeOf<Task | null>();

// ── gather ──────────────────────────────────────────────────────────────────────────────────────────────────────────

expectTypeOf(gather(fetchData("x"), sleep(1), promise, future, async () => "s")).toEqualTypeOf<
  Future<[number, void, number, Date, string]>
>();
expectTypeOf(gather([fetchData("x"), promise])).toEqualTypeOf<Future<[number, number]>>();
expectTypeOf(gather([fetchData("x"), future], { returnExceptions: true })).toEqualTypeOf<
  Future<[number | Error, Date | Error]>
>();
declare const many: Coroutine<string>[];
expectTypeOf(gather(many)).toEqualTypeOf<Future<string[]>>();
expectTypeOf(gather(...many)).toEqualTypeOf<Future<string[]>>();
expectTypeOf(gather(many, { returnExceptions: true })).toEqualTypeOf<Future<(string | Error)[]>>();
expectTypeOf(gather()).toEqualTypeOf<Future<[]>>();
// @ts-expect-error: nothing to wait for
gather(5);

// ── until, sleep, run ───────────────────────────────────────────────────────────────────────────────────────────────

expectTypeOf(until(promise)).toEqualTypeOf<Coroutine<number>>();
expectTypeOf(until((signal) => fetch("/", { signal }))).toEqualTypeOf<Coroutine<Response>>();
expectTypeOf(until(future)).toEqualTypeOf<Coroutine<Date>>();
// @ts-expect-error: not a promise
until(5);

expectTypeOf(sleep(1)).toEqualTypeOf<Coroutine<void>>();
expectTypeOf(sleep({ minutes: 1 }, 5 as number)).toEqualTypeOf<Coroutine<number>>();
// @ts-expect-error: not a unit
sleep({ weeks: 1 });
// @ts-expect-error: not a duration
sleep("1");

expectTypeOf(run(fetchData("x"))).toEqualTypeOf<Promise<number>>();
expectTypeOf(run(async () => "s")).toEqualTypeOf<Promise<string>>();
expectTypeOf(run(promise)).toEqualTypeOf<Promise<number>>();
// @ts-expect-error: nothing to run
run(5);
expectTypeOf(new Runner().run(generated(1))).toEqualTypeOf<Promise<{ count: number; names: string[] }>>();
expectTypeOf(new Runner().getLoop()).toEqualTypeOf<EventLoop>();

expectTypeOf(ensureFuture(fetchData("x"))).toEqualTypeOf<Future<number>>();
expectTypeOf(ensureFuture(promise)).toEqualTypeOf<Future<number>>();
expectTypeOf<Promise<number>>().toExtend<Waitable<number>>();
expectTypeOf<Coroutine<number>>().toExtend<Waitable<number>>();

// ── Handles, contexts, helpers ──────────────────────────────────────────────────────────────────────────────────────

getRunningLoop().callSoon((count: number, name: string) => name.repeat(count), 1, "x");
// @ts-expect-error: an argument of another type
getRunningLoop().callSoon((count: number) => count, "x");

expectTypeOf(new ContextVar<number>("count").get()).toEqualTypeOf<number>();
expectTypeOf(new ContextVar("text", { defaultValue: "x" })).toEqualTypeOf<ContextVar<string>>();
expectTypeOf(new Context().run((value: number) => value.toString(), 1)).toEqualTypeOf<string>();

declare const generator: AsyncGenerator<string, void, void>;
expectTypeOf(
  aclosing(generator, async (each) => {
    expectTypeOf(each).toEqualTypeOf<typeof generator>();
    return 1;
  }),
).toEqualTypeOf<Promise<number>>();

// ── No any ──────────────────────────────────────────────────────────────────────────────────────────────────────────

expectTypeOf(fetchData("x").then((value) => value)).not.toBeAny();
expectTypeOf(createTask(future).getCoro()).not.toBeAny();
expectTypeOf(future.outcome).not.toBeAny();
expectTypeOf(gather(many).result()).not.toBeAny();
expectTypeOf(getRunningLoop().getExceptionHandler()).not.toBeAny();
expectTypeOf(getRunningLoop().getTaskFactory()).not.toBeAny();
