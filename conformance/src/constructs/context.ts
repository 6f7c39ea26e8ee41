/** Context variables: who sees what was set where. */
import { define } from "../construct.ts";
import type { Block, Statement } from "../program.ts";
import { CONTEXTS, TASKS, TOKENS } from "./slots.ts";

interface Get extends Statement {
  kind: "get_variable";
}

interface Set extends Statement {
  kind: "set_variable";
  value: number;
  /** Where the way back is kept. */
  token: string;
}

interface Reset extends Statement {
  kind: "reset_variable";
  token: string;
}

interface Copy extends Statement {
  kind: "copy_context";
  slot: string;
}

interface SpawnIn extends Statement {
  kind: "spawn_in_context";
  slot: string;
  task: string;
  callee: string;
}

interface Run extends Statement {
  kind: "run_in_context";
  slot: string;
  name: string;
  /** Called by the loop, and not at once. */
  soon: boolean;
  body: Block;
}

export const context = [
  define<Get>({
    kind: "get_variable",
    feature: "context",
    weight: 2,
    isSynchronous: true,
    make: () => ({ kind: "get_variable" }),
    print: (node, writer) => writer.log(node, writer.call("var1.get")),
  }),
  define<Set>({
    kind: "set_variable",
    feature: "context",
    weight: 2,
    isSynchronous: true,
    make: (maker) => ({
      kind: "set_variable",
      value: maker.random.integer(1, 99),
      token: maker.random.pick(TOKENS),
    }),
    print: (node, writer) => writer.assign(node.token, writer.call("var1.set", [writer.literal(node.value)])),
  }),
  define<Reset>({
    kind: "reset_variable",
    feature: "context",
    weight: 0.5,
    isSynchronous: true,
    make: (maker) => ({ kind: "reset_variable", token: maker.random.pick(TOKENS) }),
    print(node, writer) {
      writer.ifSet(node, [node.token], () => {
        writer.logAttempt(node, writer.call("var1.reset", [writer.slot(node.token)]));
      });
    },
  }),
  define<Copy>({
    kind: "copy_context",
    feature: "context",
    weight: 1.2,
    isSynchronous: true,
    make: (maker) => ({ kind: "copy_context", slot: maker.random.pick(CONTEXTS) }),
    print: (node, writer) => writer.assign(node.slot, writer.call("copy_context")),
  }),
  define<SpawnIn>({
    kind: "spawn_in_context",
    feature: "context",
    isSynchronous: true,
    make(maker) {
      // An eager task cannot begin in a context that is entered already.
      const callee = maker.mayBeEager ? null : maker.callee();
      if (callee === null) return null;
      const { random } = maker;
      return { kind: "spawn_in_context", slot: random.pick(CONTEXTS), task: random.pick(TASKS), callee };
    },
    print(node, writer) {
      writer.ifSet(node, [node.slot], () => {
        const options = { name: `named("${node.task}")`, context: writer.slot(node.slot) };
        writer.keep(node.task, writer.call("create_task", [`${node.callee}()`], options));
      });
    },
  }),
  define<Run>({
    kind: "run_in_context",
    feature: "context",
    isSynchronous: true,
    make(maker) {
      if (maker.isSynchronous) return null;
      const slot = maker.random.pick(CONTEXTS);
      const name = maker.callbackName();
      // An eager task may begin inside of a callback that runs in the context, and so has entered it. At once, that only
      // works in corio then.
      const soon = maker.random.chance(0.4) || maker.mayBeEager;
      return { kind: "run_in_context", slot, name, soon, body: maker.block([1, 2], { isSynchronous: true }) };
    },
    print(node, writer) {
      writer.ifSet(node, [node.slot], () => {
        const callback = writer.callback(node.name, () => {
          writer.log(node);
          if (node.body.length > 0) writer.block(node.body);
        });
        const context = writer.slot(node.slot);
        if (node.soon) writer.statement(writer.call("soon_in", [context, callback]));
        else writer.statement(writer.call("run_in", [context, callback]));
      });
    },
  }),
];
