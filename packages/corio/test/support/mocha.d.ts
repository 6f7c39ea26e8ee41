/** The part of mocha that the harness uses. (`@types/mocha` would add its globals to every file.) */
declare module "mocha" {
  interface Runnable {
    fullTitle(): string;
  }

  export interface Runner {
    on(event: "hook" | "test" | "pass" | "pending", listener: (test: Runnable) => void): void;
    on(event: "fail", listener: (test: Runnable, error: unknown) => void): void;
    on(event: "end", listener: () => void): void;
  }

  interface Options {
    ui: "bdd";
    timeout: number;
    forbidOnly: boolean;
    grep?: string;
    reporter: new (runner: Runner) => object;
  }

  export default class Mocha {
    constructor(options: Options);
    readonly suite: { emit(event: "pre-require", globals: object, file: string, mocha: Mocha): void };
    run(done: (failures: number) => void): void;
  }
}
