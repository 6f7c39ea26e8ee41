/** Task groups, and putting tasks into them from anywhere: inside, while they end, and too late. */
import { define } from "../construct.ts";
import type { Block, Statement } from "../program.ts";
import { GROUPS, TASKS } from "./slots.ts";

interface Group extends Statement {
  kind: "group";
  slot: string;
  body: Block;
}

interface SpawnIn extends Statement {
  kind: "group_spawn";
  group: string;
  slot: string;
  callee: string;
  eager: boolean;
}

const spawn = define<SpawnIn>({
  kind: "group_spawn",
  feature: "groups",
  weight: 3,
  isSynchronous: true,
  make(maker) {
    const callee = maker.callee();
    if (callee === null) return null;
    const { random } = maker;
    return {
      kind: "group_spawn",
      group: random.pick(GROUPS),
      slot: random.pick(TASKS),
      callee,
      eager: maker.eager(),
    };
  },
  print(node, writer) {
    writer.ifSet(node, [node.group], () => {
      const options = node.eager ? { eager_start: writer.literal(true) } : {};
      const task = writer.call(`${writer.slot(node.group)}.create_task`, [`${node.callee}()`], {
        name: `named("${node.slot}")`,
        ...options,
      });
      writer.logAttempt(node, writer.kept(node.slot, task));
    });
  },
});

export const groups = [
  define<Group>({
    kind: "group",
    feature: "groups",
    weight: 3,
    make(maker) {
      const slot = maker.random.pick(GROUPS);
      const children = Array.from({ length: maker.random.integer(0, 3) }, () => spawn.make(maker));
      const body = maker.block([0, 3], { canReturn: false });
      const own = children.filter((child) => child !== null).map((child) => ({ ...child, group: slot }));
      return { kind: "group", slot, body: [...own, ...body] };
    },
    print(node, writer) {
      writer.scope({ python: "TaskGroup()", callee: "task_group", args: [], slot: node.slot }, () => {
        writer.block(node.body);
      });
      writer.log(node);
    },
  }),
  spawn,
];
