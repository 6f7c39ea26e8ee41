import { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import { on, once } from "corio";
import type { EventStream, Future } from "corio";
import { expectTypeOf } from "expect-type";

declare const button: HTMLButtonElement;
declare const webSocket: WebSocket;
declare const page: Document;
declare const socket: Socket;
/** As the WebSocket of the package ws: an EventTarget of its own kind, and an emitter. */
declare const both: {
  onmessage: ((event: { readonly data: string }) => void) | null;
  addEventListener(type: "message", listener: (event: { readonly data: string }) => void): void;
  removeEventListener(type: "message", listener: (event: { readonly data: string }) => void): void;
  on(name: "message", listener: (data: Uint8Array) => void): unknown;
  off(name: "message", listener: (data: Uint8Array) => void): unknown;
};
const typed = new EventEmitter<{ greeted: [name: string] }>();

// EventTargets: by their `on…` properties.
expectTypeOf(once(button, "click")).toEqualTypeOf<Future<PointerEvent>>();
expectTypeOf(once(webSocket, "message")).toEqualTypeOf<Future<MessageEvent>>();
expectTypeOf(once(new AbortController().signal, "abort")).toEqualTypeOf<Future<Event>>();
expectTypeOf(once(page, "DOMContentLoaded")).toEqualTypeOf<Future<Event>>();
expectTypeOf(on(page, "keydown")).toEqualTypeOf<EventStream<KeyboardEvent>>();
expectTypeOf(on(both, "message")).toEqualTypeOf<EventStream<{ readonly data: string }>>();

// Emitters: as it is given.
expectTypeOf(once(socket, "data")).toEqualTypeOf<Future<readonly unknown[]>>();
expectTypeOf(once<[chunk: Uint8Array]>(socket, "data")).toEqualTypeOf<Future<[chunk: Uint8Array]>>();
expectTypeOf(on<[name: string]>(typed, "greeted")).toEqualTypeOf<EventStream<[name: string]>>();
expectTypeOf(once(new EventEmitter(), "x")).toEqualTypeOf<Future<readonly unknown[]>>();

// @ts-expect-error -- nothing that can be listened to
void once({}, "x");
// @ts-expect-error -- no name
void once(button, 5);
