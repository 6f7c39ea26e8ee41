// npm run proof [-- --host HOST]... [-- --messages N] [-- --connections N] [-- --seed N]: I/O under storm, at full length.
// What it prints is counted, not timed. The tests have it in small (streams/storm.test.ts).
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { buildCorioIfStale } from "./lib/build.mjs";
import { HOSTS } from "./lib/hosts.mjs";
import { CORIO, inRoot } from "./lib/paths.mjs";
import { installRuntimes } from "./lib/runtimes.mjs";

const { values: options } = parseArgs({
  options: {
    host: { type: "string", multiple: true, default: ["node24"] },
    connections: { type: "string", default: "1000" },
    messages: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
  },
});

for (const name of options.host) {
  const host = HOSTS.find((one) => one.name === name);
  if (host?.command === undefined || host.unavailable !== undefined)
    throw new Error(`${name}: ${host?.unavailable ?? "no such host, or one without processes"}`);
  if (host.usesDist) await buildCorioIfStale();
  else await installRuntimes();
  console.log(`\n${host.label}`);
  const program = inRoot("packages/corio/test/streams/support/proof.ts");
  const { connections, messages, seed } = options;
  const child = spawn(host.command, [...host.args, program, connections, messages, seed], {
    cwd: CORIO,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const code = await new Promise((resolve) => child.on("close", resolve));
  if (code !== 0) process.exitCode = 1;
}
