// npm run build: plain tsc, with declarations and maps.
import { buildCorio } from "./lib/build.mjs";

await buildCorio();
