/** A short version of the load proof, `node bench/http/soak.mjs`: so many requests, however long they take. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { assert, hostName } from "../../corio/test/support/harness.ts";
import { databaseTest } from "../../postgres/test/support/database.ts";

// It is a program for Node.
if (hostName === "node") {
  databaseTest("connections, a third of which leave: a flat heap, no task left, a full pool", async () => {
    const program = fileURLToPath(new URL("../../../bench/http/soak.mjs", import.meta.url));
    const args = [...process.execArgv.filter((flag) => flag.startsWith("--conditions")), program];
    const { code, output } = await new Promise<{ code: unknown; output: string }>((resolve) => {
      execFile(
        process.execPath,
        [...args, "--requests", "200", "--connections", "40"],
        (error, stdout, stderr) => {
          resolve({ code: error?.code ?? 0, output: stdout + stderr });
        },
      );
    });
    assert.equal(code, 0, output);
    assert.match(output, /\n200 requests .* tasks 0, pool 10 of 10/);
  });
}
