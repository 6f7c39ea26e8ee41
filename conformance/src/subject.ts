import * as corio from "corio";
import { VirtualClock } from "corio/testing";
import type { Program } from "./program.ts";
import { Recorder } from "./recorder.ts";
import type { Trace } from "./trace.ts";
import type { Form } from "./typescript.ts";
import { toTypeScript } from "./typescript.ts";

/** Real milliseconds after which a program is taken to hang. */
const PATIENCE = 5000;

/** What the program does on corio. */
export async function runOnCorio(program: Program, form: Form): Promise<Trace> {
  const first = new corio.Runner({ clock: new VirtualClock() });
  const recorder = new Recorder(first);
  let patience: NodeJS.Timeout | undefined;
  const hang = new Promise<void>((resolve) => {
    patience = setTimeout(() => {
      recorder.record("=", "hangs");
      resolve();
    }, PATIENCE);
  });
  await Promise.race([hang, runAll(program, form, first, recorder)]);
  clearTimeout(patience);
  recorder.close();
  return recorder.trace;
}

async function runAll(program: Program, form: Form, first: corio.Runner, recorder: Recorder): Promise<void> {
  const { mains, between } = load(program, form, recorder);
  let runner = first;
  prepare(runner.getLoop(), program, recorder);
  for (const [index, main] of mains.entries()) {
    if (index > 0) runBetween(recorder, between[index - 1]);
    if (program.restarts?.includes(index) === true) {
      if (!(await close(runner, recorder))) return;
      // A clock of its own makes it another loop.
      runner = new corio.Runner({ clock: new VirtualClock() });
      prepare(runner.getLoop(), program, recorder);
      recorder.moveTo(runner);
    }
    recorder.mainName = main.name;
    recorder.main = null;
    try {
      recorder.record("=", "run", await runner.run(main()));
    } catch (error) {
      if (!(error instanceof corio.DeadlockError)) recorder.record("=", "run", error);
      else if (isDone(recorder.main)) recorder.record("=", "run", "broken deadlock");
      else {
        recorder.record("=", "deadlock");
        return;
      }
    }
  }
  await close(runner, recorder);
}

function runBetween(recorder: Recorder, work?: () => void): void {
  try {
    work?.();
  } catch (error) {
    recorder.record("=", "between", error);
  }
}

function prepare(loop: corio.EventLoop, program: Program, recorder: Recorder): void {
  loop.setExceptionHandler((_, context) => recorder.handleException(context));
  if (program.eager) loop.setTaskFactory(corio.eagerTaskFactory);
}

/** False when that never ends, or tasks are left: made while others were cancelled, they outlive their loop. */
async function close(runner: corio.Runner, recorder: Recorder): Promise<boolean> {
  const loop = runner.getLoop();
  try {
    await runner.close();
    recorder.record("=", "closed");
  } catch (error) {
    const isDeadlocked = error instanceof corio.DeadlockError;
    recorder.record("=", isDeadlocked ? "deadlock" : "closed", isDeadlocked ? undefined : error);
    return !isDeadlocked;
  }
  return loop.tasks().length === 0;
}

interface Loaded {
  readonly mains: readonly (() => corio.Coroutine)[];
  readonly between: readonly (() => void)[];
}

function load(program: Program, form: Form, recorder: Recorder): Loaded {
  const names = recorder.names();
  const mains = program.functions.slice(0, program.mains).map(({ name }) => name);
  const between = (program.between ?? []).map((_, index) => `between${String(index)}`);
  const source = `${toTypeScript(program, form)}\nreturn { mains: [${mains.join(", ")}], between: [${between.join(", ")}] };`;
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- The program is the text that is printed.
  const define = new Function(...Object.keys(names), `"use strict";\n${source}`) as (
    ...values: unknown[]
  ) => Loaded;
  return define(...Object.values(names));
}

function isDone(task: corio.Task | null): boolean {
  return task?.done() ?? false;
}
