// Instant messages: rooms, and who is in them. Each member is a task that reads, and one that writes.
import { WebSocketClosedError } from "@corio/hono/web-socket";
import type { WebSocketConnection } from "@corio/hono/web-socket";
import { Queue, taskGroup } from "corio";

/** How many messages may wait for a member who reads slowly. */
const PATIENCE = 100;

interface Message {
  readonly from: string;
  readonly text: string;
}

interface Member {
  readonly socket: WebSocketConnection;
  readonly outbox: Queue<Message>;
}

export class Chat {
  readonly #rooms = new Map<string, Set<Member>>();

  /** The life of a member. It ends with the connection. */
  async join(roomName: string, name: string, socket: WebSocketConnection): Promise<void> {
    const me: Member = { socket, outbox: new Queue<Message>(PATIENCE) };
    const room = this.#rooms.get(roomName) ?? new Set<Member>();
    this.#rooms.set(roomName, room.add(me));
    try {
      tell(room, { from: name, text: "has come" });
      await taskGroup(async (group) => {
        const writer = group.createTask(() => deliver(me));
        for await (const text of socket) if (typeof text === "string") tell(room, { from: name, text });
        writer.cancel();
      });
    } finally {
      room.delete(me);
      if (room.size === 0) this.#rooms.delete(roomName);
      tell(room, { from: name, text: "has left" });
    }
  }
}

/** Waits for nobody: who does not keep up has to come again. */
function tell(room: Iterable<Member>, message: Message): void {
  for (const { outbox, socket } of room) {
    if (outbox.full()) socket.terminate();
    else outbox.putNowait(message);
  }
}

async function deliver({ outbox, socket }: Member): Promise<void> {
  try {
    for await (const message of outbox) await socket.sendJson(message);
  } catch (error) {
    // The reader sees it as well, and that is the end of the member.
    if (!(error instanceof WebSocketClosedError)) throw error;
  }
}
