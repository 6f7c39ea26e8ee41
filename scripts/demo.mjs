// npm run demo: the programs of examples/, on any Node from 20 on.
import process from "node:process";
import { inRoot } from "./lib/paths.mjs";

// In this very process, so that Ctrl-C reaches the programs and the exit code is theirs.
process.argv[2] = inRoot("examples/demo.ts");
await import("./run-ts.mjs");
