import { expectTypeOf } from "expect-type";
import type { Coroutine, Future } from "corio";
import {
  loopFunctions,
  runCoroutineThreadsafe,
  ThreadExecutor,
  toThread,
  transfer,
  workerModule,
} from "corio/threads";
import type { ThreadsafeFuture, WorkerStream } from "corio/threads";

interface Module {
  readonly version: string;
  add(one: number, other?: number): number;
  later(text: string): Promise<string>;
  lazily(): Coroutine<boolean>;
  count(): Generator<number>;
  countLater(): AsyncGenerator<string>;
  list(): Promise<Set<bigint>>;
}

const module = workerModule<Module>("file:///module.js");
const executor = new ThreadExecutor();

export const checks = (): void => {
  // Results are what is awaited of them.
  expectTypeOf(toThread(module.add, 1)).toEqualTypeOf<Coroutine<number>>();
  expectTypeOf(toThread(module.later, "text")).toEqualTypeOf<Coroutine<string>>();
  expectTypeOf(toThread(module.lazily)).toEqualTypeOf<Coroutine<boolean>>();
  expectTypeOf(executor.submit(module.add, 1, 2)).toEqualTypeOf<Future<number>>();
  // Options keep the type.
  expectTypeOf(toThread(module.add.withOptions({ onCancel: "wait" }), 1, 2)).toEqualTypeOf<
    Coroutine<number>
  >();

  expectTypeOf(executor.stream(module.count)).toEqualTypeOf<WorkerStream<number>>();
  expectTypeOf(executor.stream(module.countLater)).toEqualTypeOf<WorkerStream<string>>();
  expectTypeOf(executor.stream(module.list)).toEqualTypeOf<WorkerStream<bigint>>();

  // @ts-expect-error: an argument of the wrong type.
  void toThread(module.add, "1");
  // @ts-expect-error: an argument is missing.
  void toThread(module.later);
  // What is missing, or is not a function, is not there.
  expectTypeOf(module).not.toHaveProperty("subtract");
  expectTypeOf(module).not.toHaveProperty("version");
  // @ts-expect-error: a function itself cannot be sent.
  void toThread(() => 1);

  expectTypeOf(transfer(new Uint8Array(1))).toEqualTypeOf<Uint8Array<ArrayBuffer>>();

  const loop = loopFunctions<{ fetch(url: string): Promise<number> }>();
  expectTypeOf(runCoroutineThreadsafe(loop.fetch, "url")).toEqualTypeOf<ThreadsafeFuture<number>>();
  // @ts-expect-error: an argument of the wrong type.
  void runCoroutineThreadsafe(loop.fetch, 1);
};
