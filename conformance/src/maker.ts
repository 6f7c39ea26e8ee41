import { CONSTRUCTS } from "./constructs/all.ts";
import type { Construct, Feature } from "./construct.ts";
import { FEATURES } from "./construct.ts";
import type { Block, FunctionDefinition, Program, SharedObject, Statement } from "./program.ts";
import { PROMISES, TASKS } from "./constructs/slots.ts";
import { Random } from "./random.ts";

/** How many statements a run of the program may execute at most. */
const LONGEST_RUN = 300;
const DEEPEST = 4;

/** What every program has something of. */
const BASE_WEIGHTS: Partial<Record<Feature, number>> = { flow: 0.7, tasks: 0.7, cancellation: 0.25 };

/** Where a statement is being made. */
interface Place {
  readonly depth: number;
  /** Inside a plain callback: nothing can be awaited. */
  readonly isSynchronous: boolean;
  /** TypeScript's scopes are functions: `return` cannot leave one. */
  readonly canReturn: boolean;
  /** How often it runs at most each time its function is called. */
  readonly times: number;
}

/** Makes one random program. */
export class Maker {
  readonly random: Random;
  readonly objects: readonly SharedObject[];
  readonly #weights: Readonly<Record<Feature, number>>;
  readonly #functions: FunctionDefinition[] = [];
  /** How many statements a call of each function may execute; main functions are not called. */
  readonly #costs = new Map<string, number>();
  /** How likely tasks begin eagerly. */
  readonly #eagerness: number;
  readonly #mains: number;
  readonly #restarts: readonly number[];
  #cost = 0;
  #callbacks = 0;
  #place: Place = { depth: 0, isSynchronous: false, canReturn: true, times: 1 };

  constructor(seed: number) {
    this.random = new Random(seed);
    // One to three features are what the program is about; most of the others are absent or rare.
    const focus = new Set(
      Array.from({ length: this.random.integer(1, 3) }, () => this.random.pick(FEATURES)),
    );
    this.#weights = Object.fromEntries(
      FEATURES.map((feature) => [feature, focus.has(feature) ? 4 : this.random.pick([0, 0, 0.1, 0.3])]),
    ) as Record<Feature, number>;
    this.#eagerness = this.random.pick([0, 0, 0, 0, 0.4]);
    const isAboutRunners = this.#weights.runners > 1;
    this.#mains = isAboutRunners ? this.random.integer(2, 3) : this.random.chance(0.1) ? 2 : 1;
    this.#restarts = Array.from({ length: this.#mains - 1 }, (_, index) => index + 1).filter(() =>
      this.random.chance(isAboutRunners ? 0.6 : 0.1),
    );
    this.objects = this.#makeObjects();
  }

  make(): Program {
    const mains = this.#mains;
    const count = mains + this.random.integer(1, 4);
    // From the last to the first: a function calls only later ones, whose costs are known then.
    for (let index = count - 1; index >= 0; index--) {
      this.#cost = 0;
      this.#place = { depth: 0, isSynchronous: false, canReturn: true, times: 1 };
      const body = index < mains ? this.#mainBody() : this.block([2, 6]);
      const name = `f${String(index)}`;
      this.#functions.unshift({ name, body });
      if (index >= mains) this.#costs.set(name, this.#cost);
    }
    const between = Array.from({ length: mains - 1 }, () => {
      this.#cost = 0;
      return this.block([0, 3], { isSynchronous: true });
    });
    return {
      objects: this.objects,
      functions: this.#functions,
      mains,
      restarts: this.#restarts,
      between,
      eager: this.#eagerness > 0 && this.random.chance(0.4),
    };
  }

  // ── For constructs ────────────────────────────────────────────────────────────────────────────────────────────

  get canReturn(): boolean {
    return this.#place.canReturn && !this.#place.isSynchronous;
  }

  get isSynchronous(): boolean {
    return this.#place.isSynchronous;
  }

  get hasSeveralLoops(): boolean {
    return this.#restarts.length > 0;
  }

  /** Tasks of this program may begin eagerly, which native functions do not do as asyncio's. */
  get mayBeEager(): boolean {
    return this.#eagerness > 0;
  }

  eager(): boolean {
    return this.random.chance(this.#eagerness);
  }

  /** Statements, one by one, in a deeper place. */
  block(size: readonly [number, number], place: Partial<Omit<Place, "depth">> = {}): Block {
    const outer = this.#place;
    this.#place = { ...outer, ...place, times: outer.times * (place.times ?? 1), depth: outer.depth + 1 };
    const statements: Statement[] = [];
    for (let left = this.random.integer(...size); left > 0; left--) {
      const statement = this.#statement();
      if (statement === null) continue;
      statements.push(statement);
      // A cancel that races a wake-up needs both in one step.
      if (WAKE_UPS.has(statement.kind) && this.random.chance(0.25)) statements.push(this.#cancel());
    }
    this.#place = outer;
    return statements;
  }

  /** The name of a function that may be called here, counted as called; null when none may. */
  callee(calls = 1): string | null {
    const times = this.#place.times * calls;
    const affordable = [...this.#costs].filter(([, cost]) => this.#cost + cost * times <= LONGEST_RUN);
    if (affordable.length === 0) return null;
    const [name, cost] = this.random.pick(affordable);
    this.#cost += (cost + 1) * times;
    return name;
  }

  callbackName(): string {
    return `cb${String(++this.#callbacks)}`;
  }

  /** A delay: a few whole numbers, so that things often happen at the same moment. */
  delay(): number {
    return this.random.pick([0, 0, 1, 1, 1, 2, 2, 3, 0.5, 0.1, 4]);
  }

  objectOf(...types: readonly string[]): string | null {
    const fitting = this.objects.filter(({ type }) => types.includes(type));
    return fitting.length === 0 ? null : this.random.pick(fitting).name;
  }

  // ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #statement(): Statement | null {
    const possible = CONSTRUCTS.filter(
      (construct) => !this.#place.isSynchronous || construct.isSynchronous === true,
    );
    for (let tries = 0; tries < 5; tries++) {
      const construct: Construct | undefined = this.random.pickWeighted(possible, (each) =>
        this.#weightOf(each),
      );
      if (construct === undefined) return null;
      if (this.#place.depth > DEEPEST && BLOCK_KINDS.has(construct.kind)) continue;
      const statement = construct.make(this);
      if (statement === null) continue;
      this.#cost += this.#place.times;
      return statement;
    }
    return null;
  }

  #cancel(): Statement {
    this.#cost += this.#place.times;
    return { kind: "cancel", slot: this.random.pick(TASKS), message: null } as Statement;
  }

  #mainBody(): Block {
    const beginning = this.#beginning();
    const body = [...beginning, ...this.block([4, 9]).map((statement) => this.#sheltered(statement))];
    // What main leaves behind is cancelled when it ends: mostly, it lets the others play on for a while.
    const stay = { kind: "sleep", delay: 6 } as Statement;
    return this.random.chance(0.7) ? [...body, this.#sheltered(stay)] : body;
  }

  /** Tasks and futures for the statements that need some: most use what is under a name, if there is anything. */
  #beginning(): Block {
    const statements: Statement[] = [];
    if (this.#weights.futures > 0 && this.random.chance(0.7)) {
      for (const slot of PROMISES.slice(0, this.random.integer(1, 2))) {
        statements.push({ kind: "create_future", slot } as Statement);
      }
    }
    for (const slot of TASKS.slice(0, this.random.integer(0, 4))) {
      const callee = this.callee();
      if (callee === null) break;
      statements.push({ kind: "spawn", slot, callee, eager: this.eager() } as Statement);
    }
    return statements;
  }

  /** In a main function: most exceptions do not end the program. */
  #sheltered(statement: Statement): Statement {
    if (statement.kind === "return" || this.random.chance(0.3)) return statement;
    const handlers = [{ type: "BaseException", body: [], reraise: false }];
    return { kind: "try", body: [statement], handlers, last: null } as Statement;
  }

  #weightOf({ feature, weight }: Construct): number {
    return (this.#weights[feature] + (BASE_WEIGHTS[feature] ?? 0)) * (weight ?? 1);
  }

  #makeObjects(): SharedObject[] {
    const { random } = this;
    const objects: SharedObject[] = [];
    const add = (feature: Feature, object: SharedObject): void => {
      if (this.#weights[feature] > 0) objects.push(object);
    };
    // Seldom more than one of a kind: programs are about tasks that get in each other's way.
    const locks: SharedObject[] = [
      { name: "lock1", type: "Lock", args: [] },
      { name: "sem1", type: "Semaphore", args: [random.integer(0, 2)] },
      { name: "sem2", type: "BoundedSemaphore", args: [random.integer(1, 2)] },
    ];
    const favourite = random.pick(locks);
    for (const lock of locks) if (lock === favourite || random.chance(0.25)) add("locks", lock);
    const sharesLock = objects.some(({ name }) => name === "lock1") && random.chance(0.5);
    add("events", { name: "event1", type: "Event", args: [] });
    add("conditions", { name: "cond1", type: "Condition", args: sharesLock ? ["lock1"] : [] });
    add("barriers", { name: "barrier1", type: "Barrier", args: [random.integer(1, 3)] });
    const kinds = ["Queue", "Queue", "PriorityQueue", "LifoQueue"];
    const size = (): number => random.pick([0, 1, 1, 2]);
    add("queues", { name: "queue1", type: random.pick(kinds), args: [size()] });
    if (random.chance(0.2)) add("queues", { name: "queue2", type: random.pick(kinds), args: [size()] });
    add("context", { name: "var1", type: "ContextVar", args: ['"var1"'], options: { default_value: 0 } });
    return objects;
  }
}

/** Statements that often wake up somebody. */
const WAKE_UPS = new Set([
  "lock",
  "event",
  "condition",
  "queue",
  "barrier",
  "set_result",
  "with_condition",
  "with_lock",
  "release_guard",
]);

/** Statements that hold blocks: not below a certain depth. */
const BLOCK_KINDS = new Set([
  "try",
  "repeat",
  "timeout",
  "group",
  "explicit_group",
  "split",
  "as_completed",
  "drain",
  "hold_lock",
  "hold_condition",
  "with_lock",
  "with_condition",
  "with_barrier",
  "call_soon",
  "call_later",
  "on_done",
  "run_in_context",
]);
