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
  const runner = new corio.Runner({ clock: new VirtualClock() });
  const recorder = new Recorder(runner.getLoop());
  const loop = runner.getLoop();
  loop.setExceptionHandler((_, context) => recorder.handleException(context));
  if (program.eager) loop.setTaskFactory(corio.eagerTaskFactory);
  let patience: NodeJS.Timeout | undefined;
  const hang = new Promise<void>((resolve) => {
    patience = setTimeout(() => {
      recorder.record("=", "hangs");
      resolve();
    }, PATIENCE);
  });
  await Promise.race([hang, runAll(program, form, runner, recorder)]);
  clearTimeout(patience);
  recorder.close();
  return recorder.trace;
}

async function runAll(program: Program, form: Form, runner: corio.Runner, recorder: Recorder): Promise<void> {
  const mains = load(program, form, recorder);
  for (const main of mains) {
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
  try {
    await runner.close();
    recorder.record("=", "closed");
  } catch (error) {
    if (error instanceof corio.DeadlockError) recorder.record("=", "deadlock");
    else recorder.record("=", "closed", error);
  }
}

function load(program: Program, form: Form, recorder: Recorder): (() => corio.Coroutine)[] {
  const names = recorder.names();
  const mains = program.functions.slice(0, program.mains).map(({ name }) => name);
  const source = `${toTypeScript(program, form)}\nreturn [${mains.join(", ")}];`;
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- The program is the text that is printed.
  const define = new Function(...Object.keys(names), `"use strict";\n${source}`) as (
    ...values: unknown[]
  ) => (() => corio.Coroutine)[];
  return define(...Object.values(names));
}

function isDone(task: corio.Task | null): boolean {
  return task?.done() ?? false;
}
