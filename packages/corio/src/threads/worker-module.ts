import { badArgument, ValueError } from "../errors.ts";
import { showAs } from "#host";

/** Any function. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the one type that every function has.
export type AnyFunction = (...parameters: any) => unknown;

/**
 * What happens to a call when the await of it is cancelled while the function runs:
 *
 * - `"abandon"`: the await ends at once. The worker is told (`checkCancelled`, and a cancel of the worker function's
 *   task); it keeps its token until the function has returned.
 * - `"wait"`: the worker is told, and the await ends when the function has. If it returns a value all the same, the
 *   value is delivered and the cancellation is raised at the next await.
 * - `"terminate"`: the await ends at once, and so does the worker; another takes its place. No `finally` of the
 *   function runs.
 */
export type OnCancel = "abandon" | "wait" | "terminate";

/** Options of a worker function; see {@link WorkerFunction.withOptions}. */
export interface WorkerFunctionOptions {
  /** What a cancel does while the function runs; by default what the executor's option of this name says. */
  readonly onCancel?: OnCancel;
  /**
   * For streams: how many items the worker may be ahead of the loop that takes them. An integer from 1 on; by default
   * 16.
   */
  readonly bufferSize?: number;
}

/**
 * The name of a function that a worker is to call: a module and an export of it. Get one from {@link workerModule}; call
 * it with {@link toThread}, {@link runInExecutor} or an executor.
 */
export class WorkerFunction<Callee extends AnyFunction> {
  /** The URL of the module. */
  readonly url: string;
  /** The name that the module exports it by. */
  readonly exportName: string;
  /** What was given to `withOptions`. */
  readonly options: WorkerFunctionOptions;
  /** Only for the type. @internal */
  declare readonly callee?: Callee;

  /** @internal */
  constructor(url: string, exportName: string, options: WorkerFunctionOptions) {
    this.url = url;
    this.exportName = exportName;
    this.options = options;
  }

  get [Symbol.toStringTag](): string {
    return "WorkerFunction";
  }

  /**
   * The same function with other options: `toThread(images.resize.withOptions({ onCancel: "terminate" }), image)`.
   * Those that are not given stay as they are.
   */
  withOptions(options: WorkerFunctionOptions): WorkerFunction<Callee> {
    checkOptions("withOptions", options);
    return new WorkerFunction<Callee>(this.url, this.exportName, { ...this.options, ...options });
  }
}

showAs(WorkerFunction, ({ exportName, url }) => `<WorkerFunction ${exportName} of ${url}>`);

/** The functions that a module exports, by their names, to be called in workers. */
export type WorkerModule<Module> = {
  readonly [
    Name in keyof Module as Module[Name] extends AnyFunction ? Name : never
  ]: Module[Name] extends AnyFunction ? WorkerFunction<Module[Name]> : never;
};

/**
 * The functions of a module, to be called in threads or processes. A function cannot be sent there, so it is named: by
 * the URL of its module, and the name it is exported by. The module's type gives the names and the types; it is not
 * loaded here, but in each worker, when a function of it is first called there.
 *
 * Which exports there are is known when the module is loaded: a call of one that is missing, or is not a function,
 * fails with `RuntimeError` (`CORIO_WORKER_FUNCTION`).
 *
 * The module may be JavaScript everywhere, and TypeScript where the host runs that: Node from 22.18 on, Bun, Deno.
 * Throws `ArgumentTypeError` when the URL is neither a `URL` nor a string, `ValueError` when it is not absolute.
 *
 * asyncio: none; Python sends a function by the name of its module, too.
 *
 * @example
 * ```ts type-only: its worker module is another file; the guide has one that runs
 * import { coroutine, run } from "corio";
 * import { toThread, workerModule } from "corio/threads";
 *
 * // primes.ts: export function countPrimes(limit: number): number { … }
 * type Primes = { countPrimes(limit: number): number }; // in a program: typeof import("./primes.ts")
 * const primes = workerModule<Primes>(new URL("./primes.ts", import.meta.url));
 *
 * const main = coroutine(async function main() {
 *   console.log(await toThread(primes.countPrimes, 1_000_000));
 * });
 *
 * await run(main());
 * ```
 */
export function workerModule<Module>(url: URL | string): WorkerModule<Module> {
  if (!(url instanceof URL) && typeof url !== "string") {
    throw badArgument(
      "workerModule",
      "the URL of a module",
      url,
      'write new URL("./module.js", import.meta.url)',
    );
  }
  if (typeof url === "string" && !URL.canParse(url)) {
    throw new ValueError(
      `workerModule expects an absolute URL, got ${JSON.stringify(url)}; ` +
        `write new URL(${JSON.stringify(url)}, import.meta.url), or import.meta.resolve(${JSON.stringify(url)})`,
    );
  }
  return namedBy((exportName) => new WorkerFunction(String(url), exportName, {})) as WorkerModule<Module>;
}

/** An object that has every name, and makes what is behind it when first asked for it. */
export function namedBy<T extends object>(make: (name: string) => T): Readonly<Record<string, T>> {
  return new Proxy(Object.create(null) as Record<string, T>, {
    get(known, name) {
      // `then` would make it a thenable, and whoever looks at it asks for symbols.
      if (typeof name === "symbol" || name === "then") return undefined;
      return (known[name] ??= make(name));
    },
  });
}

/** Throws, for `where`, unless `value` names a function. */
export function checkWorkerFunction(
  where: string,
  value: unknown,
): asserts value is WorkerFunction<AnyFunction> {
  if (value instanceof WorkerFunction) return;
  throw badArgument(
    where,
    "a function of a workerModule",
    value,
    typeof value === "function"
      ? "a function cannot be sent to a worker: export it from a module, and name it with " +
          'workerModule<typeof import("./module.ts")>(new URL("./module.ts", import.meta.url))'
      : undefined,
  );
}

export function checkOnCancel(where: string, onCancel: unknown): void {
  if (onCancel === undefined || onCancel === "abandon" || onCancel === "wait" || onCancel === "terminate")
    return;
  throw badArgument(`${where}: onCancel`, '"abandon", "wait" or "terminate"', onCancel);
}

function checkOptions(where: string, options: WorkerFunctionOptions): void {
  if (typeof options !== "object" || (options as unknown) === null)
    throw badArgument(where, "an object with options", options);
  checkOnCancel(where, options.onCancel);
  const { bufferSize } = options;
  if (bufferSize === undefined) return;
  if (!Number.isInteger(bufferSize)) throw badArgument(`${where}: bufferSize`, "an integer", bufferSize);
  if (bufferSize < 1) throw new ValueError(`${where}: bufferSize is an integer from 1 on, got ${bufferSize}`);
}
