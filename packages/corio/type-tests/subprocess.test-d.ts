// What the types of corio/subprocess must and must not allow.
import type { Coroutine } from "corio";
import {
  createSubprocessExec,
  createSubprocessShell,
  DEVNULL,
  PIPE,
  runProcess,
  STDOUT,
} from "corio/subprocess";
import type { CompletedProcess, Process } from "corio/subprocess";
import { expectTypeOf } from "expect-type";

expectTypeOf(createSubprocessExec("ls")).toEqualTypeOf<Coroutine<Process>>();
expectTypeOf(createSubprocessExec("ls", "-l", "/", { stdout: PIPE, stderr: STDOUT })).toEqualTypeOf<
  Coroutine<Process>
>();
expectTypeOf(createSubprocessExec("ls", ...["-l", "/"])).toEqualTypeOf<Coroutine<Process>>();
expectTypeOf(runProcess("ls", { input: "text", check: true })).toEqualTypeOf<Coroutine<CompletedProcess>>();
expectTypeOf<CompletedProcess["stdout"]>().toEqualTypeOf<Uint8Array>();
expectTypeOf<Process["returncode"]>().toEqualTypeOf<number | null>();

export const misuses = (): void => {
  // @ts-expect-error: options come last.
  void createSubprocessExec("ls", { stdout: PIPE }, "-l");
  // @ts-expect-error: arguments are texts.
  void createSubprocessExec("sleep", 1);
  // @ts-expect-error: arguments come one by one.
  void createSubprocessExec("ls", ["-l"]);
  // @ts-expect-error: only the error stream can go where the standard output goes.
  void createSubprocessExec("ls", { stdout: STDOUT });
  // @ts-expect-error: there are no text streams.
  void createSubprocessShell("ls", { stdout: DEVNULL, encoding: "utf8" });
  // @ts-expect-error: a command line is one text.
  void createSubprocessShell(["ls", "-l"]);
  // @ts-expect-error: only what runs to its end takes an input.
  void createSubprocessExec("cat", { input: "text" });
};
