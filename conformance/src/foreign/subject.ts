import * as corio from "corio";
import type { ForeignProgram } from "./maker.ts";
import { Platform, ProgramClock } from "./platform.ts";
import { Boom, Witness } from "./witness.ts";
import type { Self } from "./witness.ts";
import { ForeignWriter } from "./writer.ts";

/** Virtual seconds between two ticks of the platform. */
const STEP = 0.5;
/** Far more than any program takes; those in which the host's own timers are under way do not count. */
const MOST_TICKS = 3000;
/** Turns of the host that the loop may be at work between two ticks. */
const MOST_TURNS = 2000;

export interface Outcome {
  readonly violations: readonly string[];
  readonly log: readonly string[];
  readonly checks: number;
}

type Main = (self: Self, store: undefined) => corio.Coroutine;

/** What the process tells of, for the program that runs. */
let unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
process.on("warning", (warning) => unhandled.push(warning));

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Runs the program, and looks whether all that must hold did. */
export async function runForeign(program: ForeignProgram): Promise<Outcome> {
  unhandled = [];
  const platform = new Platform();
  const clock = new ProgramClock(program.clock);
  const runner = new corio.Runner({ clock });
  const loop = runner.getLoop();
  const witness = new Witness(loop, platform);
  loop.setExceptionHandler((_loop, { message, exception }) => {
    const isKnown = /never retrieved$|shielded future$|^unhandled exception during/.test(message);
    if (isKnown) witness.expect(exception, message);
    else witness.violate(`reported: ${message}: ${String(exception)}`);
  });
  let state: "runs" | "ended" | "stuck" = "runs";
  const readState = (): typeof state => state;
  const { scheduler } = loop;
  const rest = async (): Promise<void> => {
    for (let turns = 0; turns < MOST_TURNS; turns++) {
      await turn();
      if (!scheduler.isAwake) return;
    }
    witness.violate("the loop never rests");
  };
  const main = load(program, witness, platform, loop);
  void runner
    .run(main(witness.main, undefined))
    .catch((error: unknown) => {
      if (!isTrueDeadlock(error)) witness.expect(error, "thrown by main");
    })
    .then(() => runner.close())
    .then(
      () => (state = "ended"),
      (error: unknown) => {
        if (!isTrueDeadlock(error)) witness.violate(`the end of the run fails: ${String(error)}`);
        state = isTrueDeadlock(error) ? "stuck" : "ended";
      },
    );
  for (let ticks = 0; readState() === "runs"; platform.waitsForHost || ticks++) {
    if (ticks === MOST_TICKS || witness.violations.length > 20) {
      witness.violate("the program does not end");
      return outcomeOf(witness);
    }
    await rest();
    clock.step(STEP);
    await rest();
    platform.tick();
  }
  if (readState() === "stuck") return outcomeOf(witness);
  witness.isOver = true;
  witness.verdict();
  for (let ticks = 0; platform.pending > 0 && ticks < MOST_TICKS; platform.waitsForHost || ticks++) {
    platform.tick();
    await turn();
  }
  await turn();
  await turn();
  for (const reason of unhandled) witness.violate(`unhandled: ${String(reason)}`);
  if (scheduler.readyCount > 0) witness.violate(`${String(scheduler.readyCount)} handles are still ready`);
  if (scheduler.nextDeadline() !== undefined) witness.violate("a timer is still set");
  await checkClock(clock, witness);
  return outcomeOf(witness);
}

/**
 * Who has a condition's lock and waits for a task that has to take it back, as nothing can keep it from doing, waits for
 * ever, in asyncio too.
 */
function isTrueDeadlock(error: unknown): boolean {
  return error instanceof corio.DeadlockError && error.message.includes("held by");
}

/** A clock moves only when nothing outside is being waited for: a wait that was not counted back would hold it. */
async function checkClock(clock: ProgramClock, witness: Witness): Promise<void> {
  clock.kind = "jumps";
  let isHeld = true;
  void corio.run(corio.sleep(1), { clock }).then(() => (isHeld = false));
  const readHeld = (): boolean => isHeld;
  for (let turns = 0; readHeld() && turns < 20; turns++) await turn();
  if (readHeld()) witness.violate("something is taken to be on its way still");
}

function outcomeOf({ violations, log, checks }: Witness): Outcome {
  return { violations, log, checks };
}

function load(program: ForeignProgram, w: Witness, platform: Platform, loop: corio.EventLoop): Main {
  const names: Record<string, unknown> = { ...corio, w, platform, loop, Boom };
  const source = `"use strict";\n${new ForeignWriter().print(program)}\nreturn ${program.functions[0]?.name ?? ""};`;
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- The program is the text that is printed.
  return (new Function(...Object.keys(names), source) as (...values: unknown[]) => Main)(
    ...Object.values(names),
  );
}
