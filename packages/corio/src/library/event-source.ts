import { badArgument, isObject } from "../errors.ts";

/**
 * What `once` and `on` need of the web's EventTargets: DOM nodes, `AbortSignal`, `WebSocket`, `MessagePort` …
 *
 * `never` stands for whatever names and events they have: the WebSocket of the package ws, say, knows four names, and
 * its events are not the DOM's. It is an emitter, too, and would be taken for one.
 */
export interface EventTargetLike {
  /** Adds a listener. */
  addEventListener(type: never, listener: never): void;
  /** Takes it away again. */
  removeEventListener(type: never, listener: never): void;
}

/** What `once` and `on` need of Node's event emitters. */
export interface EmitterLike {
  /** Adds a listener. */
  on(name: string | symbol, listener: (...parameters: unknown[]) => void): unknown;
  /** Takes it away again. */
  off(name: string | symbol, listener: (...parameters: unknown[]) => void): unknown;
}

/**
 * The event that an EventTarget dispatches under a name, taken from the type of its `on…` property: a `PointerEvent`
 * for a button's `"click"`. `Event` where there is no such property.
 */
export type EventOf<Target, Name extends string> =
  Target extends Record<`on${Name}`, infer Handler>
    ? NonNullable<Handler> extends (event: infer Dispatched) => unknown
      ? Dispatched
      : globalThis.Event
    : globalThis.Event;

type Listener = (...parameters: unknown[]) => void;

/** Listens to an EventTarget or an emitter, and gives what takes the listener away again. */
export function listen(
  source: EventTargetLike | EmitterLike,
  name: string | symbol,
  listener: Listener,
): () => void {
  if (isEventTarget(source)) {
    source.addEventListener(name as never, listener as never);
    return () => {
      source.removeEventListener(name as never, listener as never);
    };
  }
  source.on(name, listener);
  return () => {
    source.off(name, listener);
  };
}

/** Whether `source` passes one event to its listeners, rather than any number of arguments. */
export function isEventTarget(source: object): source is EventTargetLike {
  return isMethod(source, "addEventListener") && isMethod(source, "removeEventListener");
}

/** Throws unless `source` and `name` are what can be listened to. */
export function checkEventSource(source: unknown, name: unknown, where: string): void {
  if (!isObject(source) || !(isEventTarget(source) || (isMethod(source, "on") && isMethod(source, "off")))) {
    throw badArgument(where, "an EventTarget (addEventListener) or an event emitter (on, off)", source);
  }
  checkEventName(source, name, where);
}

/** Throws unless `source` can have events of that name. The web's EventTargets know no symbols. */
export function checkEventName(source: object, name: unknown, where: string): void {
  if (typeof name === "string" || (typeof name === "symbol" && !isEventTarget(source))) return;
  throw badArgument(where, "an event's name", name);
}

function isMethod(source: object, name: string): boolean {
  return typeof (source as Record<string, unknown>)[name] === "function";
}
