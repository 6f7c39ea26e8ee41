import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";
import { NODE_SUBPATHS } from "./scripts/lib/hosts.mjs";

export default defineConfig(
  globalIgnores(["**/dist/", ".cache/", "docs/site/", "runtimes/"]),
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.ts", "**/*.mjs"],
    extends: [
      js.configs.recommended,
      tseslint.configs.strictTypeChecked,
      tseslint.configs.stylisticTypeChecked,
    ],
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["eslint.config.mjs"] },
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // What distinguishes a loop from a program that forgot to await.
      // A task need not be awaited: its loop or its group holds it, and reports what goes wrong in it.
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          checkThenables: true,
          allowForKnownSafePromises: [
            { from: "file", name: "Task" },
            { from: "package", name: "Task", package: "corio" },
            // As a package beside it sees it when its tests use the support of corio's.
            { from: "file", name: "Task", path: "../corio/src/futures/task.ts" },
          ],
        },
      ],
      // tsc reports them, and knows more.
      "@typescript-eslint/no-unused-vars": "off",
      // Numbers read well in messages.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Cancellation and failures may carry any reason, as promises do: the caller's value is passed on as it is.
      "@typescript-eslint/only-throw-error": "off",
      "@typescript-eslint/prefer-promise-reject-errors": "off",
      // `f(): void` handed on in arrow functions is how callbacks are written here.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      // It asks for `!`, which no-non-null-assertion forbids.
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      // `Task<unknown>` says more than `Task` with a default.
      "@typescript-eslint/no-unnecessary-type-arguments": "off",
      // isolatedDeclarations wants the types of exported regular expressions to be written.
      "@typescript-eslint/no-inferrable-types": "off",
      // A getter is on the prototype, a field in every instance.
      "@typescript-eslint/class-literal-property-style": "off",
      // `while (true)` is how a worker is written.
      "@typescript-eslint/no-unnecessary-condition": [
        "error",
        { allowConstantLoopConditions: "only-allowed-literals" },
      ],
      eqeqeq: "error",
    },
  },
  {
    files: ["packages/corio/src/**/*.ts"],
    rules: {
      // The core runs on every host: what differs between them goes through `#host`.
      "no-restricted-globals": [
        "error",
        "window",
        "document",
        "navigator",
        "location",
        "process",
        "Buffer",
        "global",
        "name",
        "event",
      ],
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: ["node:*"],
              message: "Only src/host/node.ts, src/streams/node and src/subprocess may use Node's modules.",
            },
          ],
        },
      ],
    },
  },
  {
    // What runs on Node, Bun and Deno alone uses their modules, of which they have the same.
    files: [
      "packages/corio/src/host/*.ts",
      ...NODE_SUBPATHS.map((subpath) => `packages/corio/src/${subpath}/**/*.ts`),
    ],
    rules: { "no-restricted-globals": "off", "no-restricted-imports": "off" },
  },
  {
    files: ["packages/corio/test/**/*.ts"],
    rules: {
      // The same files run in a browser.
      "no-restricted-imports": [
        "error",
        { patterns: [{ group: ["node:*"], message: "Tests also run in a browser." }] },
      ],
      // Tests are about coroutines: also about those that await nothing.
      "@typescript-eslint/require-await": "off",
      // Empty bodies and void arrows stand for user code of no interest.
      "@typescript-eslint/no-empty-function": "off",
    },
  },
  {
    // The browser skips them; and the servers are for the packages with a driver.
    files: [
      ...NODE_SUBPATHS.map((subpath) => `packages/corio/test/${subpath}/**/*.ts`),
      "packages/corio/test/support/servers/*.ts",
    ],
    rules: { "no-restricted-imports": "off" },
  },
  {
    files: ["packages/*/test/**/*.ts"],
    ignores: ["packages/corio/**"],
    rules: {
      // Tests are about coroutines: also about those that await nothing.
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/no-empty-function": "off",
    },
  },
  {
    files: ["**/*.mjs"],
    rules: {
      // tsc checks the scripts.
      "no-undef": "off",
      // What JSON.parse returns stays untyped in scripts.
      "@typescript-eslint/no-unsafe-assignment": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
      "@typescript-eslint/no-unsafe-argument": "off",
    },
  },
);
