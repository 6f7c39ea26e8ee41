/**
 * A crowd that waits for one thing, a wake-up and a cancel in the same step: where wake-ups are lost, or go to the
 * wrong task. Random statements seldom line up like this.
 */
import { define } from "../construct.ts";
import type { Statement } from "../program.ts";
import type { Writer } from "../writer.ts";
import { TASKS } from "./slots.ts";

interface Race extends Statement {
  kind: "race";
  object: string;
  /** What every task of the crowd does. */
  wait: string;
  args: readonly number[];
  slots: readonly string[];
  /** One after the other, without a wait in between. */
  moves: readonly Move[];
}

type Move =
  | { readonly do: "call"; readonly method: string; readonly args: readonly (number | boolean)[] }
  | { readonly do: "cancel"; readonly slot: string };

/** How to wait at an object, and what may wake up those who do. */
const RACES: readonly { types: RegExp; wait: string; args: number[]; calls: Move[] }[] = [
  { types: /^Lock$/, wait: "acquire", args: [], calls: [call("release")] },
  {
    types: /Semaphore$/,
    wait: "acquire",
    args: [],
    calls: [call("release"), call("release"), call("locked")],
  },
  { types: /^Event$/, wait: "wait", args: [], calls: [call("set"), call("clear")] },
  {
    types: /Queue$/,
    wait: "get",
    args: [],
    calls: [call("put_nowait", 1), call("put_nowait", 2), call("shutdown", false), call("shutdown", true)],
  },
  {
    types: /Queue$/,
    wait: "put",
    args: [3],
    calls: [
      call("get_nowait"),
      call("get_nowait"),
      call("get_nowait"),
      call("shutdown", false),
      call("shutdown", true),
    ],
  },
  {
    types: /Queue$/,
    wait: "iterated",
    args: [],
    calls: [call("put_nowait", 1), call("put_nowait", 2), call("shutdown", false), call("shutdown", true)],
  },
  { types: /Queue$/, wait: "join", args: [], calls: [call("task_done"), call("shutdown", true)] },
  {
    types: /^Condition$/,
    wait: "notified",
    args: [],
    calls: [call("notify", 1), call("notify", 2), call("notify_all")],
  },
];

function call(method: string, ...args: (number | boolean)[]): Move {
  return { do: "call", method, args };
}

export const races = [
  define<Race>({
    kind: "race",
    feature: "races",
    weight: 3,
    make(maker) {
      const { random } = maker;
      const object = maker.objectOf(...maker.objects.map(({ type }) => type));
      const type = maker.objects.find(({ name }) => name === object)?.type;
      if (object === null || type === undefined) return null;
      const fitting = RACES.filter(({ types }) => types.test(type));
      if (fitting.length === 0) return null;
      const { wait, args, calls } = random.pick(fitting);
      const slots = TASKS.slice(0, random.integer(2, 4));
      const moves = Array.from({ length: random.integer(1, 4) }, () =>
        random.chance(0.4) ? { do: "cancel" as const, slot: random.pick(slots) } : random.pick(calls),
      );
      return { kind: "race", object, wait, args, slots, moves };
    },
    print(node, writer) {
      const args = node.args.map((arg) => writer.literal(arg));
      for (const slot of node.slots) {
        const coroutine =
          node.wait === "notified" || node.wait === "iterated"
            ? writer.call(node.wait, [node.object])
            : writer.call(`${node.object}.${node.wait}`, args);
        writer.keep(slot, writer.call("create_task", [coroutine], { name: `named("${slot}")` }));
      }
      writer.log(node, writer.wait(writer.call("sleep", [writer.literal(1)])));
      const move = (): void => {
        for (const each of node.moves) printMove(node, each, writer);
      };
      // A condition is notified by who holds its lock.
      if (node.wait === "notified") {
        writer.scope({ python: node.object, callee: `${node.object}.with`, args: [], slot: null }, () => {
          writer.pass();
          move();
        });
      } else move();
      writer.log(node, writer.wait(writer.call("sleep", [writer.literal(1)])));
      for (const slot of node.slots) writer.logAttempt(node, writer.call(`${writer.slot(slot)}.done`));
    },
  }),
];

function printMove(node: Race, move: Move, writer: Writer): void {
  if (move.do === "cancel") {
    writer.ifSet(node, [move.slot], () => {
      writer.log(node, writer.call(`${writer.slot(move.slot)}.cancel`));
    });
    return;
  }
  const args = move.args.map((arg) => writer.literal(arg));
  writer.logAttempt(node, writer.call(`${node.object}.${move.method}`, args));
}
