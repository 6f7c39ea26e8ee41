import type { Maker } from "./maker.ts";
import type { Statement } from "./program.ts";
import type { Writer } from "./writer.ts";

/** What a program is about: each program draws a weight for every feature, so that some are about little else. */
export const FEATURES = [
  "flow",
  "tasks",
  "cancellation",
  "futures",
  "callbacks",
  "gather",
  "shield",
  "wait",
  "as_completed",
  "timeouts",
  "groups",
  "exception_groups",
  "locks",
  "events",
  "conditions",
  "barriers",
  "queues",
  "context",
  "races",
  "runners",
] as const;

export type Feature = (typeof FEATURES)[number];

/** A kind of statement: how it is made at random, and what it says in both languages. */
export interface Construct<Node extends Statement = Statement> {
  readonly kind: Node["kind"];
  readonly feature: Feature;
  /** How often, among the constructs of its feature; 1 if not given. */
  readonly weight?: number;
  /** It awaits nothing: a plain callback may do it too. */
  readonly isSynchronous?: boolean;
  /** Null where it is not possible. */
  make(maker: Maker): Node | null;
  print(node: Node, writer: Writer): void;
}

/** Forgets which fields the construct's statements have, for lists of constructs. */
export function define<Node extends Statement>(construct: Construct<Node>): Construct {
  return construct;
}
