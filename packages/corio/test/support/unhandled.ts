/** Promises that are rejected without anybody handling it: a failure of the test during which it is noticed. */
let unhandled: unknown[] = [];

/** The reasons seen since the test began, which then fail nothing: for tests that expect some. */
export function takeUnhandledRejections(): unknown[] {
  const taken = unhandled;
  unhandled = [];
  return taken;
}

/** Must be called before mocha runs: it has listeners of its own, which end the whole run. */
export function watchUnhandledRejections(): void {
  const { process } = globalThis as {
    process?: { on?(event: string, listener: (reason: unknown, promise: object) => void): void };
  };
  if (process?.on === undefined || "document" in globalThis) {
    globalThis.addEventListener("unhandledrejection", (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
      unhandled.push(event.reason);
    });
    return;
  }
  // mocha emits the event again.
  const seen = new WeakSet();
  process.on("unhandledRejection", (reason, promise) => {
    if (seen.has(promise)) return;
    seen.add(promise);
    unhandled.push(reason);
  });
}
