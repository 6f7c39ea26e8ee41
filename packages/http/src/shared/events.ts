/** One event of a stream of server-sent events. */
export interface ServerSentEvent {
  /** What it says; lines are kept. */
  readonly data: string;
  /** What kind of event it is. Default `message`. */
  readonly event?: string | undefined;
  /** By what the client tells where it was when it connects again. */
  readonly id?: string | undefined;
  /** How long the client is to wait before it connects again, in seconds. */
  readonly retry?: number | undefined;
}

/** The text of an event on the wire. */
export function formatEvent(event: string | ServerSentEvent): string {
  const {
    data,
    event: kind,
    id,
    retry,
  } = typeof event === "string" ? ({ data: event } as ServerSentEvent) : event;
  let text = "";
  // A line break would begin another field.
  if (kind !== undefined) text += `event: ${oneLine(kind)}\n`;
  if (id !== undefined) text += `id: ${oneLine(id)}\n`;
  if (retry !== undefined) text += `retry: ${Math.round(retry * 1000)}\n`;
  for (const line of data.split(/\r\n|\r|\n/)) text += `data: ${line}\n`;
  return `${text}\n`;
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, " ");
}

/** Reads events out of the pieces of a text. What is not ended by an empty line is no event. */
export class EventParser {
  #rest = "";
  #data: string[] = [];
  #kind = "";
  #isFirst = true;
  /** Of the last event that had one. */
  lastId = "";
  /** What the server has asked for, in seconds. */
  retry: number | null = null;

  /** Begins anew, on another connection: what was not complete is no event. */
  restart(): void {
    this.#rest = "";
    this.#data = [];
    this.#kind = "";
    this.#isFirst = true;
  }

  /** The events that are complete with this piece. */
  push(text: string): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    let all = this.#rest + text;
    if (this.#isFirst && all !== "") {
      this.#isFirst = false;
      if (all.startsWith("\uFEFF")) all = all.slice(1);
    }
    // A CR at the end may be the first half of a CRLF.
    const lines = all.split(/\r\n|\r(?!$)|\n/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") this.#dispatch(events);
      else this.#addField(line);
    }
    return events;
  }

  #addField(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#kind = value;
    else if (name === "id" && !value.includes("\0")) this.lastId = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value) / 1000;
  }

  #dispatch(events: ServerSentEvent[]): void {
    if (this.#data.length > 0) {
      const event = this.#kind === "" ? "message" : this.#kind;
      events.push({ data: this.#data.join("\n"), event, ...(this.lastId !== "" && { id: this.lastId }) });
    }
    this.#data = [];
    this.#kind = "";
  }
}
