const host = /** @type {{ gc?: () => void, Bun?: { gc: (force: boolean) => void } }} */ (globalThis);

/** Does nothing on Node and Deno without --expose-gc. */
export function collectGarbage() {
  if (host.Bun !== undefined) host.Bun.gc(true);
  else host.gc?.();
}
