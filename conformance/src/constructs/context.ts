/** Context variables: who sees what was set where. */
import { define } from "../construct.ts";
import type { Block, Statement } from "../program.ts";
import { CONTEXTS, TOKENS } from "./slots.ts";

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

interface Run extends Statement {
  kind: "run_in_context";
  slot: string;
  name: string;
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
    weight: 0.5,
    isSynchronous: true,
    make: (maker) => ({ kind: "copy_context", slot: maker.random.pick(CONTEXTS) }),
    print: (node, writer) => writer.assign(node.slot, writer.call("copy_context")),
  }),
  define<Run>({
    kind: "run_in_context",
    feature: "context",
    weight: 0.5,
    isSynchronous: true,
    make(maker) {
      if (maker.isSynchronous) return null;
      return {
        kind: "run_in_context",
        slot: maker.random.pick(CONTEXTS),
        name: maker.callbackName(),
        body: maker.block([1, 2], { isSynchronous: true }),
      };
    },
    print(node, writer) {
      writer.ifSet(node, [node.slot], () => {
        const callback = writer.callback(node.name, () => {
          writer.log(node);
          if (node.body.length > 0) writer.block(node.body);
        });
        writer.statement(writer.call(`${writer.slot(node.slot)}.run`, [callback]));
      });
    },
  }),
];
