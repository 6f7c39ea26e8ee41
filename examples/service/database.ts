// A PostgreSQL: somebody's, by its URL, or one that is started here and ends with the service.
import process from "node:process";
import { fileURLToPath } from "node:url";
import { createSubprocessExec, PIPE } from "corio/subprocess";

export interface Database extends AsyncDisposable {
  readonly url: string;
}

export class NoDatabaseError extends Error {}

export async function openDatabase(url: string | undefined): Promise<Database> {
  if (url !== undefined) return { url, [Symbol.asyncDispose]: () => Promise.resolve() };
  console.log("Starting a PostgreSQL of its own; DATABASE_URL would name another …");
  const program = fileURLToPath(new URL("./own-postgres.mjs", import.meta.url));
  // In a session of its own: Ctrl-C on the terminal must not reach it before the service has ended.
  const child = await createSubprocessExec(process.execPath, program, { stdin: PIPE, stdout: PIPE });
  const stop = async () => {
    child.stdin?.close();
    await child.wait();
  };
  try {
    for await (const line of child.stdout?.lines() ?? [])
      if (line.startsWith("postgres://")) return { url: line, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
  throw new NoDatabaseError("PostgreSQL did not start. Set DATABASE_URL to use another one.");
}
