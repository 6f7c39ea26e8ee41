/** One event of a stream of server-sent events, as it was received. */
export interface ReceivedEvent {
  /** What it says; lines are kept. */
  readonly data: string;
  /** What kind of event it is; `message` when the server does not say. */
  readonly event: string;
  /** The last that the server has sent, with this event or one before. */
  readonly id?: string;
}

/** Reads events out of the pieces of a text. What is not ended by an empty line is no event. */
export class EventParser {
  #rest = "";
  #data: string[] = [];
  #kind = "";
  /** Of the event that is coming in, or the last before it that had one. */
  #id = "";
  #isFirst = true;
  #endsWithReturn = false;
  /** Of the last event that is complete: from there the server is to go on. */
  lastId = "";
  /** What the server has asked for, in seconds. */
  retry: number | null = null;

  /** Begins anew, on another connection: what was not complete is no event. */
  restart(): void {
    this.#rest = "";
    this.#data = [];
    this.#kind = "";
    this.#id = this.lastId;
    this.#isFirst = true;
    this.#endsWithReturn = false;
  }

  /** The events that are complete with this piece. */
  push(text: string): ReceivedEvent[] {
    const events: ReceivedEvent[] = [];
    if (text === "") return events;
    let piece = text;
    if (this.#isFirst) {
      this.#isFirst = false;
      if (piece.startsWith("\uFEFF")) piece = piece.slice(1);
    }
    // The other half of a CRLF: its CR has ended the line, since nobody knows when something will follow.
    if (this.#endsWithReturn && piece.startsWith("\n")) piece = piece.slice(1);
    this.#endsWithReturn = piece.endsWith("\r");
    // A long line comes in many pieces: what is known to have no end in it is not searched again.
    if (!/[\r\n]/.test(piece)) {
      this.#rest += piece;
      return events;
    }
    const lines = (this.#rest + piece).split(/\r\n|\r|\n/);
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
    else if (name === "id" && !value.includes("\0")) this.#id = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value) / 1000;
  }

  #dispatch(events: ReceivedEvent[]): void {
    this.lastId = this.#id;
    if (this.#data.length > 0) {
      const event = this.#kind === "" ? "message" : this.#kind;
      events.push({ data: this.#data.join("\n"), event, ...(this.lastId !== "" && { id: this.lastId }) });
    }
    this.#data = [];
    this.#kind = "";
  }
}
