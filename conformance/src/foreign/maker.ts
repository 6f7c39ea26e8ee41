import type { Block, FunctionDefinition, Program, Statement } from "../program.ts";
import { Random } from "../random.ts";
import type { ClockKind } from "./platform.ts";
import type { Form, Kind, Source } from "./statements.ts";
import { KINDS } from "./statements.ts";

/** How many statements a run of the program may execute at most. */
const LONGEST_RUN = 150;
const DEEPEST = 4;

const SOURCES = [
  "after",
  "after",
  "after",
  "after",
  "chain",
  "chain",
  "immediate",
  "thenable",
  "deferred",
] as const;

export interface ForeignFunction extends FunctionDefinition {
  readonly form: Form;
}

export interface ForeignProgram extends Program {
  readonly functions: readonly ForeignFunction[];
  readonly clock: ClockKind;
}

interface Place {
  readonly depth: number;
  /** Inside a plain callback: nothing can be awaited. */
  readonly isSynchronous: boolean;
  /** In one of several branches of a task. */
  readonly isBranch: boolean;
  /** How often it runs at most each time its function is called. */
  readonly times: number;
}

/** Makes one random program that mixes corio with the platform. */
export class ForeignMaker {
  readonly random: Random;
  readonly #weights: ReadonlyMap<Kind, number>;
  readonly #nativeness: number;
  /** How many statements a call of each function may execute. */
  readonly #costs = new Map<string, number>();
  readonly #hasRealTimers: boolean;
  #cost = 0;
  #place: Place = { depth: 0, isSynchronous: false, isBranch: false, times: 1 };

  constructor(seed: number) {
    this.random = new Random(seed);
    this.#weights = new Map(KINDS.map((kind) => [kind, kind.weight * this.random.pick([0, 0.3, 1, 1, 4])]));
    this.#nativeness = this.random.pick([0.2, 0.7, 0.7, 1]);
    // They cost real milliseconds.
    this.#hasRealTimers = this.random.chance(0.03);
  }

  make(): ForeignProgram {
    const functions: ForeignFunction[] = [];
    // From the last to the first: a function calls only later ones, whose costs are known then.
    for (let index = this.random.integer(1, 4); index >= 0; index--) {
      const name = `f${String(index)}`;
      this.#cost = 0;
      const form = this.form();
      const body = index === 0 ? this.#mainBody() : this.block([2, 6]);
      this.#costs.set(name, this.#cost);
      functions.unshift({ name, form, body });
    }
    const clock = this.random.pick(["steps", "steps", "jumps"] as const);
    return { objects: [], functions, mains: 1, eager: false, clock };
  }

  // ── For statements ────────────────────────────────────────────────────────────────────────────────────────────

  get isBranch(): boolean {
    return this.#place.isBranch;
  }

  form(): Form {
    return this.random.chance(this.#nativeness) ? "native" : "generator";
  }

  delay(): number {
    return this.random.pick([0, 0, 0.5, 0.5, 1, 1, 1.5, 2]);
  }

  /** What the platform, or corio, has to wait for. */
  source(isCorioToo = this.random.chance(0.3)): Source {
    const { random } = this;
    if (isCorioToo && random.chance(0.6)) return { type: "sleep", argument: this.delay() };
    if (random.chance(0.06)) return { type: "fail", argument: random.integer(1, 4) };
    const type = random.pick(SOURCES);
    if (type === "deferred") return { type, argument: random.pick(["p1", "p2"]) };
    if (type !== "immediate") return { type, argument: random.integer(1, 4) };
    return this.#hasRealTimers ? { type: "timer", argument: random.integer(0, 2) } : { type, argument: 0 };
  }

  /** Statements, one by one, in a deeper place. */
  block(size: readonly [number, number], place: Partial<Omit<Place, "depth">> = {}): Block {
    const outer = this.#place;
    this.#place = { ...outer, ...place, times: outer.times * (place.times ?? 1), depth: outer.depth + 1 };
    const statements: Statement[] = [];
    for (let left = this.random.integer(...size); left > 0; left--) {
      const statement = this.#statement();
      if (statement !== null) statements.push(statement);
    }
    this.#place = outer;
    return statements;
  }

  /** The name of a function that may be called here, counted as called; null when none may. */
  callee(): string | null {
    const { times } = this.#place;
    const affordable = [...this.#costs].filter(([, cost]) => this.#cost + cost * times <= LONGEST_RUN);
    if (affordable.length === 0) return null;
    const [name, cost] = this.random.pick(affordable);
    this.#cost += (cost + 1) * times;
    return name;
  }

  // ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #statement(): Statement | null {
    const { isSynchronous, isBranch, depth } = this.#place;
    const possible = KINDS.filter(
      (kind) =>
        (!isSynchronous || kind.isSynchronous === true) &&
        (!isBranch || kind.isWhole !== true) &&
        (depth <= DEEPEST || kind.isDeep !== true),
    );
    const kind = this.random.pickWeighted(possible, (each) => this.#weights.get(each) ?? 0);
    const statement = kind?.make(this) ?? null;
    if (statement !== null) this.#cost += this.#place.times;
    return statement;
  }

  #mainBody(): Block {
    // Most exceptions do not end the program.
    const body = this.block([5, 10]).map((statement) =>
      this.random.chance(0.3)
        ? statement
        : ({ kind: "attempt", body: [statement], handler: [], rethrow: false } as Statement),
    );
    // What main leaves behind is cancelled when it ends: mostly, it lets the others play on for a while.
    return this.random.chance(0.7) ? [...body, { kind: "sleep", delay: 6 } as Statement] : body;
  }
}
