import type { Maker } from "../maker.ts";
import type { Writer } from "../writer.ts";
import { AWAITABLES } from "./slots.ts";

/** Something to wait for. */
export type Source =
  | { readonly from: "call"; readonly callee: string }
  | { readonly from: "slot"; readonly slot: string }
  /** A task that refuses to be cancelled. */
  | { readonly from: "stubborn" }
  /** A coroutine that completes a future: an eager task of it is done, and has, before anybody waits for it. */
  | { readonly from: "settler"; readonly slot: string; readonly how: (typeof WAYS_TO_SETTLE)[number] }
  | { readonly from: "sleep"; readonly delay: number; readonly result: string }
  | {
      readonly from: "object";
      readonly object: string;
      readonly method: string;
      readonly args: readonly number[];
    };

const WAYS_TO_SETTLE = ["result", "exception", "cancel"] as const;

export function makeSettler(maker: Maker, slot: string): Source {
  return { from: "settler", slot, how: maker.random.pick(WAYS_TO_SETTLE) };
}

/** A random one; `slots` are those it may take. */
export function makeSource(maker: Maker, slots: readonly string[] = AWAITABLES): Source {
  const { random } = maker;
  const source = random.pickWeighted([makeCall, makeSlot, makeSleep, makeObject, makeStubborn], (each) =>
    each === makeCall ? 3 : each === makeSlot ? 4 : each === makeStubborn ? 0.5 : 1,
  );
  return source?.(maker, slots) ?? makeSleep(maker);
}

function makeCall(maker: Maker): Source | null {
  const callee = maker.callee();
  return callee === null ? null : { from: "call", callee };
}

function makeSlot(maker: Maker, slots: readonly string[]): Source {
  return { from: "slot", slot: maker.random.pick(slots) };
}

function makeStubborn(): Source {
  return { from: "stubborn" };
}

function makeSleep(maker: Maker): Source {
  return { from: "sleep", delay: maker.delay(), result: maker.random.pick(["a", "b"]) };
}

function makeObject(maker: Maker): Source | null {
  const { random } = maker;
  const object = maker.objectOf(
    "Lock",
    "Semaphore",
    "BoundedSemaphore",
    "Event",
    "Barrier",
    "Queue",
    "PriorityQueue",
  );
  const type = maker.objects.find(({ name }) => name === object)?.type;
  if (object === null || type === undefined) return null;
  if (type === "Event" || type === "Barrier") return { from: "object", object, method: "wait", args: [] };
  if (type.endsWith("Queue")) {
    return random.pick<Source>([
      { from: "object", object, method: "get", args: [] },
      { from: "object", object, method: "put", args: [random.integer(1, 9)] },
      { from: "object", object, method: "join", args: [] },
    ]);
  }
  return { from: "object", object, method: "acquire", args: [] };
}

/** The slots that must be set for it. */
export function slotsOf(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => ("slot" in source ? [source.slot] : []));
}

export function printSource(source: Source, writer: Writer): string {
  switch (source.from) {
    case "call":
      return `${source.callee}()`;
    case "slot":
      return writer.slot(source.slot);
    case "stubborn":
      return writer.call("create_task", [writer.call("stubborn")]);
    case "settler":
      return writer.call("settler", [writer.slot(source.slot), writer.literal(source.how)]);
    case "sleep":
      return writer.call("sleep", [writer.literal(source.delay), writer.literal(source.result)]);
    case "object":
      return writer.call(
        `${source.object}.${source.method}`,
        source.args.map((arg) => writer.literal(arg)),
      );
  }
}
