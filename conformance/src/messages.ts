import { writeSync } from "node:fs";

/** What a worker tells the process that started it: one JSON object a line. */
export type Message =
  /** The program that is about to run: if nothing follows, it never ended. */
  | { readonly type: "at"; readonly seed: number }
  | { readonly type: "difference"; readonly seed: number; readonly report: string }
  | { readonly type: "done"; readonly programs: number; readonly events: number };

/** At once, so that nothing is lost when the next program takes the process down. */
export function tell(message: Message): void {
  writeSync(1, `${JSON.stringify(message)}\n`);
}
