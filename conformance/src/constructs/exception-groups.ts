/** Exception groups: nested ones, taking them apart by class and by predicate, and raising what is left (`except*`). */
import { define } from "../construct.ts";
import type { Maker } from "../maker.ts";
import type { Block, Statement } from "../program.ts";
import type { Writer } from "../writer.ts";

/** What is in a group: errors and groups. */
type Shape = readonly (Leaf | Shape)[];
type Leaf = "boom" | "timeout" | "cancelled";

interface RaiseGroup extends Statement {
  kind: "raise_group";
  shape: Shape;
  /** The outermost group is of a class of the program's own, with a cause. */
  own: boolean;
}

/** One class, several, or a function of the program. */
type Condition =
  | { readonly by: "class"; readonly classes: readonly string[] }
  | { readonly by: "predicate"; readonly name: string };

interface Split extends Statement {
  kind: "split";
  body: Block;
  condition: Condition;
  /** What is done if something matches. */
  matching: Block;
  /** What does not match is raised again. */
  reraise: boolean;
}

/** As Python calls them. */
const CLASSES = ["Boom", "Boom", "CancelledError", "TimeoutError", "BaseExceptionGroup"];
const PREDICATES = ["is_first", "is_pair", "is_anything", "is_nothing"];

function makeShape(maker: Maker, leaves: readonly Leaf[], depth: number): Shape {
  return Array.from({ length: maker.random.integer(1, 3) }, () =>
    depth > 0 && maker.random.chance(0.4) ? makeShape(maker, leaves, depth - 1) : maker.random.pick(leaves),
  );
}

function makeCondition(maker: Maker): Condition {
  const { random } = maker;
  if (random.chance(0.4)) return { by: "predicate", name: random.pick(PREDICATES) };
  return { by: "class", classes: Array.from({ length: random.pick([1, 1, 2]) }, () => random.pick(CLASSES)) };
}

function printCondition(condition: Condition, writer: Writer): string {
  if (condition.by === "predicate") return writer.name(condition.name);
  const [only, ...others] = condition.classes;
  return only !== undefined && others.length === 0 ? only : writer.either(condition.classes);
}

const raiseGroup = define<RaiseGroup>({
  kind: "raise_group",
  feature: "exception_groups",
  make(maker) {
    // A class that is an Exception holds no CancelledError.
    const own = maker.random.chance(0.3);
    const leaves: readonly Leaf[] = own
      ? ["boom", "boom", "timeout"]
      : ["boom", "boom", "timeout", "cancelled"];
    return { kind: "raise_group", shape: makeShape(maker, leaves, 2), own };
  },
  print(node, writer) {
    writer.throw(
      writer.call("nested", [writer.label(node), writer.literal(node.shape), writer.literal(node.own)]),
    );
  },
});

export const exceptionGroups = [
  raiseGroup,
  define<Split>({
    kind: "split",
    feature: "exception_groups",
    weight: 4,
    make(maker) {
      const { random } = maker;
      const body = maker.block([0, 3]);
      const raise = random.chance(0.5) ? raiseGroup.make(maker) : null;
      return {
        kind: "split",
        body: raise === null ? body : [...body, raise],
        condition: makeCondition(maker),
        matching: maker.block([0, 2]),
        reraise: random.chance(0.7),
      };
    },
    print(node, writer) {
      const condition = printCondition(node.condition, writer);
      const error = `e${writer.label(node).slice(1, -1)}`;
      const subgroup = writer.call(`${error}.subgroup`, [condition]);
      const body = (): void => {
        writer.logWith(node, "s", writer.call(`${error}.split`, [condition]));
        writer.if(writer.isSome(subgroup), () => {
          writer.logWith(node, "m", subgroup);
          if (node.matching.length > 0) writer.block(node.matching);
        });
        if (node.reraise) writer.statement(writer.call("raise_rest", [error, condition]));
      };
      writer.tryCatch({
        body: () => writer.block(node.body),
        handlers: [{ type: "BaseExceptionGroup", body, reraise: false }],
        error,
      });
      writer.log(node);
    },
  }),
];
