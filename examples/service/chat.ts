// Instant messages: rooms, and who is in them. Each member is a task that reads, and one that writes.
import { on, Queue, taskGroup, until } from "corio";
import { WebSocketServer } from "ws";
import type { WebSocket } from "ws";

/** How many messages may wait for a member who reads slowly. */
const PATIENCE = 100;

interface Message {
  readonly from: string;
  readonly text: string;
}

interface Member {
  readonly socket: WebSocket;
  readonly outbox: Queue<Message>;
}

export class Chat {
  /** What makes connections of HTTP requests. */
  readonly server: WebSocketServer = new WebSocketServer({ noServer: true, maxPayload: 16 * 1024 });
  readonly #rooms = new Map<string, Set<Member>>();

  /** Says goodbye to everybody. */
  close(): void {
    for (const socket of this.server.clients) socket.close(1001, "the service ends");
  }

  /** The life of a member; it ends with the connection. It listens from the call on, and gives the rest as a function. */
  join(roomName: string, name: string, socket: WebSocket): () => Promise<void> {
    const received = on(socket, "message", { close: ["close"] });
    return async () => {
      const me = { socket, outbox: new Queue<Message>(PATIENCE) };
      const room = this.#rooms.get(roomName) ?? new Set<Member>();
      this.#rooms.set(roomName, room.add(me));
      try {
        tell(room, { from: name, text: "has come" });
        await taskGroup(async (group) => {
          const writer = group.createTask(() => deliver(me));
          for await (const { data } of received)
            if (typeof data === "string") tell(room, { from: name, text: data });
          writer.cancel();
        });
      } finally {
        room.delete(me);
        if (room.size === 0) this.#rooms.delete(roomName);
        tell(room, { from: name, text: "has left" });
      }
    };
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
  for await (const message of outbox) {
    const text = JSON.stringify(message);
    await until(new Promise<void>((resolve) => socket.send(text, () => resolve())));
  }
}
