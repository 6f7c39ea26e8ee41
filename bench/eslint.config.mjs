import { defineConfig } from "eslint/config";
import base from "../eslint.config.mjs";

export default defineConfig(base, {
  files: ["peers/**/*.mjs"],
  rules: {
    // The peers have no types here: see untyped-peers.d.ts.
    "@typescript-eslint/no-unsafe-call": "off",
    "@typescript-eslint/no-unsafe-return": "off",
    // `await null` is how a native function yields.
    "@typescript-eslint/await-thenable": "off",
  },
});
