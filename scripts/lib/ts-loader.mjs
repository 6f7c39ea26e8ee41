// `node --import=.../ts-loader.mjs FILE.ts`: TypeScript on a Node that strips no types, against the compiled corio.
import { register } from "node:module";

register("./ts-loader-hooks.mjs", import.meta.url);
