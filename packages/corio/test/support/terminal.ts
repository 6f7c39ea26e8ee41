/** Programs that run on a terminal. */
import { runProgram } from "./program.ts";

/** Python's pty: the program's terminal, whose other end types. */
const TERMINAL = `
import json, os, pty, sys
typed, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
seen = ""
while True:
    try:
        data = os.read(terminal, 4096)
    except OSError:
        break
    if not data:
        break
    seen += data.decode("utf-8", "replace")
    sys.stdout.write(data.decode("utf-8", "replace"))
    while typed and typed[0][0] in seen:
        seen = seen.split(typed[0][0], 1)[1]
        os.write(terminal, typed.pop(0)[1].encode())
_, status = os.waitpid(pid, 0)
print("\\n%s" % os.waitstatus_to_exitcode(status))
`;

/**
 * Runs a program on a terminal of its own; `typed` is sent, piece by piece, each after what it waits for. Null where
 * nothing can make a terminal.
 */
export async function onTerminal(
  source: string,
  typed: readonly (readonly [after: string, keys: string])[],
): Promise<{ output: string; status: string } | null> {
  const { spawnSync } = process.getBuiltinModule("node:child_process");
  if (spawnSync("python3", ["-c", "import pty"]).status !== 0) return null;
  const { stdout } = await runProgram(source, {
    under: ["python3", "-c", TERMINAL, JSON.stringify(typed)],
  });
  const status = stdout.at(-1) ?? "";
  return { output: stdout.slice(0, -1).join("\n"), status };
}
