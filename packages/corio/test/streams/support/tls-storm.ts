/** A TLS server, and clients that cut the connection during the handshake and after it. */
import { allTasks, CancelledError, createTask, gather, getRunningLoop, sleep } from "corio";
import { openConnection, startServer } from "corio/streams";
import type { StreamReader, StreamWriter } from "corio/streams";
import type { Certificate } from "./certificate.ts";
import { closed, randomNumbers } from "./storm.ts";

export interface TlsStormResult {
  /** Lines that have come back to those who were not to be cut off. */
  readonly echoed: number;
  /** Tasks that are left when the server is closed, without the one that asks. */
  readonly tasksLeft: number;
  /** Timers of the loop that are left. */
  readonly timersLeft: number;
}

const LINES = 4;

async function echo(reader: StreamReader, writer: StreamWriter): Promise<void> {
  try {
    for await (const line of reader) {
      writer.write(line);
      await writer.drain();
    }
  } catch {
    // Somebody has cut it.
  } finally {
    writer.close();
  }
}

/** Makes the storm inside a running program: a sixth of the clients of each kind. */
export async function makeTlsStorm(
  seed: number,
  count: number,
  certificate: Certificate,
): Promise<TlsStormResult> {
  const random = randomNumbers(seed);
  const tasksBefore = allTasks().size;
  let echoed = 0;
  const server = await startServer(echo, "127.0.0.1", 0, { ssl: certificate, backlog: count });
  const connect = () =>
    openConnection("127.0.0.1", server.port, {
      ssl: { ca: certificate.cert },
      serverHostname: "localhost",
    });
  const talk = async ([reader, writer]: readonly [StreamReader, StreamWriter]): Promise<void> => {
    for (let line = 0; line < LINES; line++) {
      const sent = `${"x".repeat(Math.floor(random() * 30_000))}\n`;
      writer.write(sent);
      await writer.drain();
      if ((await reader.readline()).length !== sent.length) throw new Error("a line came back changed");
    }
  };
  const kinds: (() => Promise<void>)[] = [
    async function speakWithoutTls() {
      const [, writer] = await openConnection("127.0.0.1", server.port);
      writer.write("no handshake".repeat(1 + Math.floor(random() * 50)));
      for (let turns = random() * 20; turns > 0; turns--) await sleep(0);
      writer.transport.abort();
      await closed(writer);
    },
    async function cancelTheHandshake() {
      const opening = createTask(connect());
      for (let turns = random() * 40; turns > 0; turns--) await sleep(0);
      opening.cancel();
      try {
        await closed((await opening)[1]);
      } catch (error) {
        if (!(error instanceof CancelledError)) throw error;
      }
    },
    async function cutTheSocket() {
      const streams = await connect();
      await talk(streams);
      streams[1].write(`${"y".repeat(20_000)}\n`);
      (streams[1].getExtraInfo("socket") as { destroy(): void }).destroy();
      await closed(streams[1]);
    },
    async function abortInTheMiddle() {
      const streams = await connect();
      await talk(streams);
      streams[1].write("a line without an end");
      streams[1].transport.abort();
      await closed(streams[1]);
    },
    async function closeAndWait() {
      const streams = await connect();
      await talk(streams);
      echoed += LINES;
      await closed(streams[1]);
    },
    async function closeWithoutAWord() {
      await closed((await connect())[1]);
    },
  ];
  await gather(
    Array.from({ length: count }, (_, index) => (kinds[index % kinds.length] as () => Promise<void>)()),
  );
  server.close();
  await server.waitClosed();
  return {
    echoed,
    tasksLeft: allTasks().size - tasksBefore,
    timersLeft: getRunningLoop().scheduler.timerCount,
  };
}
