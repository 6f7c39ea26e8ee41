// npm run docs [-- ARG...]: the reference of each package, in docs/site/; warnings are errors.
import { join } from "node:path";
import { command } from "./lib/command.mjs";
import { inRoot, PACKAGES } from "./lib/paths.mjs";

const typedoc = inRoot("node_modules/typedoc/bin/typedoc");
for (const config of [inRoot("typedoc.json"), ...PACKAGES.map((folder) => join(folder, "typedoc.json"))]) {
  const { ok, output } = await command(process.execPath, [
    typedoc,
    "--options",
    config,
    ...process.argv.slice(2),
  ]);
  if (ok) continue;
  console.log(output);
  process.exitCode = 1;
}
