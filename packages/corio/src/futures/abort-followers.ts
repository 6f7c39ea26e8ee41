/** All that follow one signal. */
interface Followers {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

/**
 * Those that follow one signal share a listener: hosts warn of a leak when a signal has more than ten, and search all
 * of them to take one off.
 */
const followersOf = new WeakMap<AbortSignal, Followers>();

/** Calls `callback` when `signal`, which has not aborted yet, aborts; `leaveAbort` takes that back. */
export function followAbort(signal: AbortSignal, callback: () => void): void {
  const followers = followersOf.get(signal);
  if (followers === undefined) listen(signal, callback);
  else followers.callbacks.add(callback);
}

/** Does nothing when the signal has aborted. */
export function leaveAbort(signal: AbortSignal, callback: () => void): void {
  const followers = followersOf.get(signal);
  if (followers?.callbacks.delete(callback) !== true || followers.callbacks.size > 0) return;
  followersOf.delete(signal);
  signal.removeEventListener("abort", followers.listener);
}

function listen(signal: AbortSignal, first: () => void): void {
  const callbacks = new Set([first]);
  const listener = (): void => {
    followersOf.delete(signal);
    for (const callback of callbacks) callback();
  };
  followersOf.set(signal, { callbacks, listener });
  signal.addEventListener("abort", listener, { once: true });
}
