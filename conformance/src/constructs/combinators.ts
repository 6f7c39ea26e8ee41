/** gather, shield, wait, as_completed: waiting for several, or for one at a distance. */
import { define } from "../construct.ts";
import type { Block, Statement } from "../program.ts";
import type { Maker } from "../maker.ts";
import { COMBINED, FUTURES, PROMISES } from "./slots.ts";
import type { Source } from "./source.ts";
import { makeSettler, makeSource, printSource, slotsOf } from "./source.ts";

interface Shield extends Statement {
  kind: "shield";
  source: Source;
  /** Null: awaited at once. */
  slot: string | null;
}

interface Wait extends Statement {
  kind: "wait";
  slots: readonly string[];
  timeout: number | null;
  until: "FIRST_COMPLETED" | "FIRST_EXCEPTION" | "ALL_COMPLETED";
}

interface AsCompleted extends Statement {
  kind: "as_completed";
  sources: readonly Source[];
  timeout: number | null;
  /** Iterates over the futures themselves, or over coroutines for their results. */
  futures: boolean;
  /** What is done after each. */
  body: Block;
}

interface Gather extends Statement {
  kind: "gather";
  /** The name of a future that is made for it, and that one of the sources completes. */
  future: string | null;
  sources: readonly Source[];
  returnExceptions: boolean;
  /** Null: awaited at once. */
  slot: string | null;
}

/** Where tasks begin eagerly, one child may complete another while the gather is still being made. */
function makeGathered(maker: Maker): Pick<Gather, "future" | "sources"> {
  const { random } = maker;
  const sources = Array.from({ length: random.integer(0, 3) }, () => makeSource(maker));
  if (!maker.mayBeEager || random.chance(0.7)) return { future: null, sources };
  const future = random.pick(PROMISES);
  const child: Source = { from: "slot", slot: future };
  const again = random.chance(0.2) ? [child] : [];
  return { future, sources: [child, ...sources.slice(0, 1), makeSettler(maker, future), ...again] };
}

export const combinators = [
  define<Gather>({
    kind: "gather",
    feature: "gather",
    weight: 2,
    make: (maker) => ({
      kind: "gather",
      ...makeGathered(maker),
      returnExceptions: maker.random.chance(0.4),
      slot: maker.random.chance(0.4) ? maker.random.pick(COMBINED) : null,
    }),
    print(node, writer) {
      if (node.future !== null) writer.assign(node.future, writer.call("loop.create_future"));
      writer.ifWaitable(node, slotsOf(node.sources), () => {
        const gathered = writer.gather(
          node.sources.map((source) => printSource(source, writer)),
          node.returnExceptions,
        );
        if (node.slot === null) writer.log(node, writer.wait(gathered));
        else writer.keep(node.slot, gathered, slotsOf(node.sources));
      });
    },
  }),
  define<Shield>({
    kind: "shield",
    feature: "shield",
    weight: 3,
    make: (maker) => ({
      kind: "shield",
      source: makeSource(maker),
      slot: maker.random.chance(0.4) ? maker.random.pick(COMBINED) : null,
    }),
    print(node, writer) {
      writer.ifWaitable(node, slotsOf([node.source]), () => {
        const shielded = writer.call("shield", [printSource(node.source, writer)]);
        if (node.slot === null) writer.log(node, writer.wait(shielded));
        else writer.keep(node.slot, shielded, slotsOf([node.source]));
      });
    },
  }),
  define<Wait>({
    kind: "wait",
    feature: "wait",
    weight: 4,
    make: (maker) => ({
      kind: "wait",
      slots: Array.from({ length: maker.random.integer(1, 3) }, () => maker.random.pick(FUTURES)),
      timeout: maker.random.pick([null, null, -1, 0, 0.5, 1, 2]),
      until: maker.random.pick(["FIRST_COMPLETED", "FIRST_EXCEPTION", "ALL_COMPLETED"]),
    }),
    print(node, writer) {
      writer.ifWaitable(node, node.slots, () => {
        const futures = `[${node.slots.map((slot) => writer.slot(slot)).join(", ")}]`;
        const timeout = node.timeout === null ? {} : { timeout: writer.literal(node.timeout) };
        const wait = writer.call("wait", [futures], { ...timeout, return_when: node.until });
        writer.log(node, `pair(${writer.wait(wait)})`);
      });
    },
  }),
  define<AsCompleted>({
    kind: "as_completed",
    feature: "as_completed",
    weight: 4,
    make: (maker) => ({
      kind: "as_completed",
      sources: Array.from({ length: maker.random.integer(0, 3) }, () => makeSource(maker)),
      timeout: maker.random.pick([null, null, null, 0, 1, 2]),
      futures: maker.random.chance(0.5),
      body: maker.block([0, 1], { times: 3, canReturn: false }),
    }),
    print(node, writer) {
      writer.ifWaitable(node, slotsOf(node.sources), () => {
        const sources = `[${node.sources.map((source) => printSource(source, writer)).join(", ")}]`;
        const options = node.timeout === null ? {} : { timeout: writer.literal(node.timeout) };
        const completed = writer.call("as_completed", [sources], options);
        const body = (each: string): void => {
          if (node.futures) {
            writer.log(node, each);
            writer.logAttempt(node, writer.call(`${each}.result`));
          } else writer.log(node, writer.wait(each));
          if (node.body.length > 0) writer.block(node.body);
        };
        if (node.futures) writer.forAwait(completed, body);
        else writer.for(completed, body);
      });
    },
  }),
];
