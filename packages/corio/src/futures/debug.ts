/** Debug mode, as far as it concerns objects that know no loop: where they were made. */
import { host } from "#host";
import { withStackLimit } from "../stack-limit.ts";

/** Frames kept of a creation site, as in asyncio. */
const SITE_FRAMES = 10;

let debuggingLoops = 0;

/** True while any loop of the thread is in debug mode, or `CORIO_DEBUG=1` was given. */
export function isDebugging(): boolean {
  return debuggingLoops > 0 || host.debugRequested;
}

export function noteDebugMode(change: 1 | -1): void {
  debuggingLoops += change;
}

/** The stack of the caller, without corio's own frames. */
export function captureSite(): string {
  const error = withStackLimit(SITE_FRAMES + 8, () => new Error());
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s*at |@/.test(line));
  const foreign = frames.filter((line) => !ownFolders.some((folder) => line.includes(folder)));
  // In a bundle corio and the program are one file: then its own frames cannot be told.
  return (foreign.length > 0 ? foreign : frames).slice(0, SITE_FRAMES).join("\n");
}

/** A creation site as the end of a line about an object: its innermost place. Empty when it is not known. */
export function describeSite(site: string | undefined): string {
  return site?.replace(/\s*(.*)[^]*/, ", created $1") ?? "";
}

/**
 * The folders of corio's modules, `…/dist/` and (where the host applies source maps) `…/src/`, as they stand in
 * stacks: as a URL, or as a path.
 */
const ownFolders: readonly string[] = [
  ...["..", "../../src/"].flatMap((relative) => {
    const folder = new URL(relative, import.meta.url);
    return [folder.href, decodeURIComponent(folder.pathname)];
  }),
  // Between corio and the program stands AsyncResource.
  "node:async_hooks",
];
