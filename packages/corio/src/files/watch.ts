import { watch as watchWithNode } from "node:fs";
import { EventStream } from "../library/event-stream.ts";
import type { FilePath } from "./whole-file.ts";

/** What has changed. */
export interface FileChange {
  /** `"rename"`: something appeared, disappeared or got another name. `"change"`: its contents. */
  readonly kind: "rename" | "change";
  /** The name in the watched directory, or of the watched file; null where the system does not say. */
  readonly name: string | null;
}

/** Options of `watch`. */
export interface WatchOptions {
  /** Whether to watch what is under a directory, too, as far as the system can. Default false. */
  readonly recursive?: boolean;
}

/**
 * The changes of a file or of what is in a directory, as a stream. It watches from now on. Changes of one kind and name
 * that nobody has taken yet are given once. What a system reports, and how often, differs: take a change for a hint to
 * look.
 *
 * Cancel safety: a cancelled `next` has taken nothing; a cancelled `for await` closes the stream.
 *
 * Python: none. Throws at once what the operating system reports, such as `ENOENT` (on Deno, `next` does); later errors come
 * from `next`.
 */
export function watch(path: FilePath, options: WatchOptions = {}): EventStream<FileChange> {
  const watcher = watchWithNode(path, { recursive: options.recursive ?? false });
  const stream = new EventStream<FileChange>({
    description: `a change of ${String(path)}`,
    keyOf: ({ kind, name }) => `${kind} ${name ?? ""}`,
    release: () => watcher.close(),
  });
  watcher.on("change", (kind, name: string | Buffer | null) => {
    stream.push({ kind: kind === "change" ? "change" : "rename", name: name === null ? null : String(name) });
  });
  watcher.on("error", (error) => stream.fail(error));
  return stream;
}
