import { badArgument } from "../errors.ts";

/** What moves, with the values that it is part of. */
const transferLists = new WeakMap<object, readonly unknown[]>();

/**
 * Marks a value so that parts of it move to the other thread when the value is sent there, as an argument or as a
 * result: they are not copied, and are not usable here afterwards. What can move: `ArrayBuffer`, `MessagePort`, streams,
 * and what else the host lets. Gives the value itself.
 *
 * `transferables` is what moves; by default the value's `buffer` for a typed array, otherwise the value.
 * Processes share no memory: there everything is copied all the same.
 *
 * asyncio: none. Throws `ArgumentTypeError` when the value is not an object or the transferables are not a list.
 *
 * @example
 * ```ts type-only: its worker module is another file; the guide has one that runs
 * import { run } from "corio";
 * import { toThread, transfer, workerModule } from "corio/threads";
 *
 * type Images = { invert(pixels: Uint8Array): Uint8Array };
 * const images = workerModule<Images>(new URL("./images.ts", import.meta.url));
 *
 * const pixels = new Uint8Array(1_000_000);
 * console.log(await run(toThread(images.invert, transfer(pixels))), pixels.length);
 * ```
 */
export function transfer<T extends object>(value: T, transferables?: readonly unknown[]): T {
  if ((typeof value !== "object" && typeof value !== "function") || (value as unknown) === null)
    throw badArgument("transfer", "an object", value);
  if (transferables !== undefined && !Array.isArray(transferables))
    throw badArgument("transfer", "a list of what is to move", transferables);
  transferLists.set(value, transferables ?? [ArrayBuffer.isView(value) ? value.buffer : value]);
  return value;
}

/** What is to move with `value`; the mark is good for one sending. */
export function takeTransferList(value: unknown): readonly unknown[] {
  if (typeof value !== "object" || value === null) return nothing;
  const list = transferLists.get(value);
  if (list === undefined) return nothing;
  transferLists.delete(value);
  return list;
}

/** What is to move with any of `values`. */
export function takeTransferLists(values: readonly unknown[]): readonly unknown[] {
  let all: readonly unknown[] = nothing;
  for (const value of values) {
    const list = takeTransferList(value);
    if (list !== nothing) all = all === nothing ? list : [...all, ...list];
  }
  return all;
}

const nothing: readonly unknown[] = [];
