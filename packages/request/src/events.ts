import type { Duration } from "corio";
import { toSeconds } from "corio/pool";

/** An event of an event stream that is sent. */
export interface ServerSentEvent {
  /** The text; each line of it is sent as a line of data. What is not a string is sent as JSON. */
  readonly data?: unknown;
  /** The type; `message` if there is none. */
  readonly event?: string | undefined;
  /** What the client sends as `Last-Event-ID` when it connects again. */
  readonly id?: string | undefined;
  /** How long the client is to wait before it connects again, in seconds. */
  readonly retry?: Duration | undefined;
  /** A line that clients ignore: it keeps proxies from giving up. */
  readonly comment?: string | undefined;
}

/** The text of an event on the wire. A string is its data. */
export function formatEvent(event: string | ServerSentEvent): string {
  const { comment, data, event: type, id, retry } = typeof event === "string" ? { data: event } : event;
  let text = "";
  if (comment !== undefined) text += lines("", comment);
  if (type !== undefined) text += `event: ${oneLine(type)}\n`;
  if (id !== undefined) text += `id: ${oneLine(id)}\n`;
  if (retry !== undefined) text += `retry: ${Math.round(toSeconds(retry, "retry") * 1000)}\n`;
  if (data !== undefined) text += lines("data", typeof data === "string" ? data : JSON.stringify(data));
  return `${text}\n`;
}

/** A field for each line: a line break must not begin another one. */
function lines(name: string, text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `${name}: ${line}\n`)
    .join("");
}

/** A type or an identity has no lines; NUL would make the client ignore it. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, " ");
}
