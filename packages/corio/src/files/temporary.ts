import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Steps } from "../futures/awaitable.ts";
import { coroutine } from "../futures/coroutine.ts";
import type { Coroutine } from "../futures/coroutine.ts";
import { keepOrClose } from "../library/keep-or-close.ts";
import { until } from "../library/until.ts";

/** A directory that is there for a while. Remove it with `remove`, or declare it with `await using`. */
export class TemporaryDirectory implements AsyncDisposable {
  /** Where it is. */
  readonly path: string;

  /** @internal */
  constructor(path: string) {
    this.path = path;
  }

  /** Removes it with all that is in it. Does nothing when it is gone. Cannot be cancelled. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
  }

  /** Removes it at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.remove();
  }
}

/**
 * Makes a directory of its own, in the system's directory for temporary files; its name begins with `prefix`. Files in
 * it are the temporary files of a program: one removal, and nothing is left.
 *
 * Cancel safety: a directory that is made after the cancel is removed again.
 *
 * Python: `tempfile.TemporaryDirectory`. Throws what the operating system reports.
 */
export function temporaryDirectory(prefix = "corio-"): Coroutine<TemporaryDirectory> {
  return makeDirectory(prefix);
}

const makeDirectory = coroutine(function* temporaryDirectory(prefix: string): Steps<TemporaryDirectory> {
  const directory = yield* until(
    async () => new TemporaryDirectory(await mkdtemp(join(await realpath(tmpdir()), prefix))),
  );
  return yield* keepOrClose(directory, () => directory.remove());
});
