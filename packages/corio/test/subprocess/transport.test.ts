// Processes on the level of transports and protocols: subprocessExec, subprocessShell.
import { constants } from "node:os";
import { ArgumentTypeError, CancelledError, ContextVar, createTask, Future, sleep, ValueError } from "corio";
import {
  createSubprocessExec,
  DEVNULL,
  PIPE,
  ProcessLookupError,
  ProcessStartError,
  STDOUT,
  subprocessExec,
  subprocessShell,
} from "corio/subprocess";
import type { SpawnOptions, SubprocessProtocol, SubprocessTransport } from "corio/subprocess";
import type { Transport, WriteTransport } from "corio/streams";
import { bytes, noteExceptions, testProgram, text } from "../streams/support/net.ts";
import { assert, describe, test } from "../support/harness.ts";
import { show } from "../support/primitives.ts";
import { groupOf, isAlive } from "./support/processes.ts";

const { SIGHUP, SIGKILL, SIGTERM } = constants.signals;

/** Notes what it is told. */
class Recorder implements SubprocessProtocol {
  readonly calls: string[] = [];
  readonly data = new Map<number, string>();
  readonly exited: Future<void> = new Future<void>();
  readonly lost: Future<unknown> = new Future<unknown>();
  readonly pipesLost = new Map<number, unknown>();
  #wanted: { fd: number; length: number; future: Future<void> } | null = null;

  connectionMade(transport: SubprocessTransport): void {
    this.calls.push(`connectionMade ${transport.getPid() > 0}`);
  }

  pipeDataReceived(fd: number, data: Uint8Array): void {
    this.data.set(fd, (this.data.get(fd) ?? "") + text(data));
    this.calls.push(`pipeDataReceived ${fd}`);
    const wanted = this.#wanted;
    if (wanted === null || (this.data.get(wanted.fd) ?? "").length < wanted.length) return;
    this.#wanted = null;
    wanted.future.setResult();
  }

  pipeConnectionLost(fd: number, error: unknown): void {
    this.calls.push(`pipeConnectionLost ${fd}`);
    this.pipesLost.set(fd, error);
  }

  processExited(): void {
    this.calls.push("processExited");
    this.exited.setResult();
  }

  connectionLost(error: unknown): void {
    this.calls.push("connectionLost");
    this.lost.setResult(error);
  }

  /** Waits until a pipe has brought so much. */
  async has(fd: number, length: number): Promise<void> {
    if ((this.data.get(fd) ?? "").length >= length) return;
    const future = new Future<void>();
    this.#wanted = { fd, length, future };
    await future;
  }
}

const shell = (command: string, options?: SpawnOptions) =>
  subprocessShell(() => new Recorder(), command, options);

const stdinOf = (transport: SubprocessTransport): WriteTransport =>
  transport.getPipeTransport(0) as WriteTransport;

describe("subprocessExec and subprocessShell", () => {
  testProgram("connect a protocol with pipes [SubprocessTestsMixin.test_subprocess_exec]", async () => {
    const [transport, protocol] = await subprocessExec(() => new Recorder(), "cat");
    assert.deepEqual(protocol.calls, ["connectionMade true"]);
    stdinOf(transport).write(bytes("Python The Winner"));
    await protocol.has(1, 17);
    transport.close();
    assert.equal(await protocol.lost, null);
    assert.equal(transport.getReturncode(), -SIGKILL);
    assert.equal(protocol.data.get(1), "Python The Winner");
  });

  testProgram("a protocol without any method [ProtocolsAbsTests.test_subprocess_protocol]", async () => {
    const noted = noteExceptions();
    const [transport, protocol] = await subprocessShell(() => ({}), "echo out; echo err >&2; exit 3");
    assert.deepEqual(protocol, {});
    while (!transport.isClosing()) await sleep(0.001);
    assert.equal(transport.getReturncode(), 3);
    assert.deepEqual(noted, []);
  });

  testProgram("several exchanges [SubprocessTestsMixin.test_subprocess_interactive]", async () => {
    const [transport, protocol] = await subprocessExec(() => new Recorder(), "cat");
    stdinOf(transport).write(bytes("Python "));
    await protocol.has(1, 7);
    assert.equal(protocol.data.get(1), "Python ");
    stdinOf(transport).write(bytes("The Winner"));
    await protocol.has(1, 17);
    assert.equal(protocol.data.get(1), "Python The Winner");
    stdinOf(transport).writeEof();
    await protocol.lost;
    assert.equal(transport.getReturncode(), 0);
  });

  testProgram(
    "a command line [SubprocessTestsMixin.test_subprocess_shell] [SubprocessMixin.test_subprocess_protocol_events] [SubprocessTransportTests.test_proc_exited]",
    async () => {
      const [transport, protocol] = await shell("echo Python; echo error >&2");
      await protocol.lost;
      assert.equal(transport.getReturncode(), 0);
      assert.equal(protocol.data.get(1), "Python\n");
      assert.equal(protocol.data.get(2), "error\n");
      const { calls } = protocol;
      assert.equal(calls[0], "connectionMade true");
      assert.equal(calls.at(-1), "connectionLost");
      for (const call of [
        "processExited",
        "pipeConnectionLost 0",
        "pipeConnectionLost 1",
        "pipeConnectionLost 2",
      ])
        assert.equal(calls.filter((one) => one === call).length, 1, call);
      for (const fd of [1, 2])
        assert.ok(calls.indexOf(`pipeDataReceived ${fd}`) < calls.indexOf(`pipeConnectionLost ${fd}`));
      assert.equal(transport.isClosing(), true);
    },
  );

  testProgram(
    "the return code [SubprocessTestsMixin.test_subprocess_exitcode] [SubprocessTestsMixin.test_subprocess_wait_no_same_group]",
    async () => {
      for (const startNewSession of [true, false]) {
        const [transport, protocol] = await shell("exit 7", {
          stdin: null,
          stdout: null,
          stderr: null,
          startNewSession,
        });
        assert.equal(transport.getReturncode(), null);
        await protocol.exited;
        assert.equal(transport.getReturncode(), 7);
      }
    },
  );

  testProgram("without pipes [SubprocessTestsMixin.test_subprocess_close_after_finish]", async () => {
    const [transport, protocol] = await shell("exit 7", { stdin: DEVNULL, stdout: DEVNULL, stderr: DEVNULL });
    for (const fd of [0, 1, 2]) assert.equal(transport.getPipeTransport(fd), null);
    await protocol.exited;
    assert.equal(transport.getReturncode(), 7);
    transport.close();
    await protocol.lost;
    assert.deepEqual(protocol.calls, ["connectionMade true", "processExited", "connectionLost"]);
  });

  testProgram(
    "signals [SubprocessTestsMixin.test_subprocess_kill] [SubprocessTestsMixin.test_subprocess_terminate] [SubprocessTestsMixin.test_subprocess_send_signal]",
    async () => {
      const ways: readonly [number, (transport: SubprocessTransport) => void][] = [
        [SIGKILL, (transport) => transport.kill()],
        [SIGTERM, (transport) => transport.terminate()],
        [SIGHUP, (transport) => transport.sendSignal("SIGHUP")],
        [SIGHUP, (transport) => transport.sendSignal(SIGHUP)],
      ];
      for (const [number, send] of ways) {
        const [transport, protocol] = await subprocessExec(() => new Recorder(), "cat");
        send(transport);
        await protocol.lost;
        assert.equal(transport.getReturncode(), -number);
        assert.throws(() => transport.kill(), ProcessLookupError);
      }
    },
  );

  testProgram("output and errors apart [SubprocessTestsMixin.test_subprocess_stderr]", async () => {
    const [transport, protocol] = await shell("read x; echo OUT:$x; echo ERR:$x >&2");
    stdinOf(transport).write(bytes("test\n"));
    await protocol.lost;
    assert.deepEqual([protocol.data.get(1), protocol.data.get(2)], ["OUT:test\n", "ERR:test\n"]);
  });

  testProgram(
    "errors in the output [SubprocessTestsMixin.test_subprocess_stderr_redirect_to_stdout]",
    async () => {
      const [transport, protocol] = await shell("read x; echo OUT:$x; echo ERR:$x >&2", { stderr: STDOUT });
      assert.ok(transport.getPipeTransport(1));
      assert.equal(transport.getPipeTransport(2), null);
      stdinOf(transport).write(bytes("test\n"));
      await protocol.lost;
      assert.deepEqual([protocol.data.get(1), protocol.data.get(2)], ["OUT:test\nERR:test\n", undefined]);
    },
  );

  testProgram(
    "a pipe that is closed on this side [SubprocessTestsMixin.test_subprocess_close_client_stream]",
    async () => {
      const command = "trap '' PIPE; read x; echo $x; read x; echo $x || echo failed >&2; read x";
      const [transport, protocol] = await shell(command);
      const stdin = stdinOf(transport);
      stdin.write(bytes("test\n"));
      await protocol.has(1, 5);
      transport.getPipeTransport(1)?.close();
      while (!protocol.pipesLost.has(1)) await sleep(0.001);
      assert.equal(protocol.pipesLost.get(1), null);
      stdin.write(bytes("again\n"));
      // It comes in pieces.
      while (!/failed|Broken pipe/.test(protocol.data.get(2) ?? "")) await sleep(0.001);
      transport.close();
      await protocol.lost;
    },
  );

  test("refuse what makes no sense [SubprocessTestsMixin.test_subprocess_exec_invalid_args] [SubprocessTestsMixin.test_subprocess_shell_invalid_args] [BaseEventLoopTests.test_subprocess_exec_invalid_args] [BaseEventLoopTests.test_subprocess_shell_invalid_args]", () => {
    const exec = subprocessExec as (...given: unknown[]) => unknown;
    const command = subprocessShell as (...given: unknown[]) => unknown;
    const factory = () => ({});
    assert.throws(() => exec(factory), ArgumentTypeError);
    assert.throws(() => exec(null, "true"), ArgumentTypeError);
    assert.throws(() => command(factory, ["true"]), ArgumentTypeError);
    assert.throws(() => command(factory, bytes("true")), ArgumentTypeError);
    for (const options of [{ universalNewlines: true }, { shell: true }, { bufsize: 4096 }, { text: true }]) {
      assert.throws(() => exec(factory, "true", options), ValueError);
      assert.throws(() => command(factory, "true", options), ValueError);
    }
  });

  testProgram("a program that is not there", async () => {
    await assert.rejects(
      subprocessExec(() => new Recorder(), "corio-no-such-program"),
      ProcessStartError,
    );
  });
});

describe("SubprocessTransport", () => {
  testProgram(
    "kills a process that runs, and its group, when it is closed [SubprocessMixin.test_close_kill_running]",
    async () => {
      const [transport, protocol] = await shell("sleep 1000 & echo $!; wait");
      await protocol.has(1, 2);
      const child = Number(protocol.data.get(1));
      transport.close();
      transport.close();
      assert.equal(transport.isClosing(), true);
      await protocol.lost;
      assert.equal(transport.getReturncode(), -SIGKILL);
      // The signal has been sent; the child needs a moment to die.
      while (isAlive(child)) await sleep(0.001);
    },
  );

  testProgram(
    "kills nobody when the process has ended [SubprocessMixin.test_close_dont_kill_finished]",
    async () => {
      const [transport, protocol] = await shell("sleep 1000 & echo $!; exit 3");
      await protocol.has(1, 2);
      await protocol.exited;
      const left = Number(protocol.data.get(1));
      transport.close();
      await protocol.lost;
      assert.equal(transport.getReturncode(), 3);
      assert.equal(isAlive(left), true);
      process.kill(left, "SIGKILL");
    },
  );

  testProgram("tells of the exit while somebody else holds the pipes", async () => {
    const [transport, protocol] = await shell("sleep 1000 & exit 3");
    await protocol.exited;
    assert.equal(transport.getReturncode(), 3);
    assert.equal(protocol.lost.done(), false);
    const group = transport.getPid();
    transport.close();
    await protocol.lost;
    process.kill(-group, "SIGKILL");
  });

  testProgram(
    "does not mind a wait that was cancelled [SubprocessTransportTests.test_proc_exited_no_invalid_state_error_on_exit_waiters]",
    async () => {
      const noted = noteExceptions();
      const child = await createSubprocessExec("cat", { stdin: PIPE });
      const [cancelled, waiting] = [createTask(child.wait()), createTask(child.wait())];
      await sleep(0);
      cancelled.cancel();
      child.stdin?.close();
      assert.equal(await waiting, 0);
      await assert.rejects(cancelled, CancelledError);
      assert.deepEqual(noted, []);
    },
  );

  testProgram("is shown with its state [SubprocessTransportTests.test_subprocess_repr]", async () => {
    const [transport, protocol] = await subprocessExec(() => new Recorder(), "cat", { stderr: null });
    const pid = transport.getPid();
    assert.equal(show(transport), `<SubprocessTransport pid=${pid} running stdin stdout>`);
    stdinOf(transport).writeEof();
    await protocol.lost;
    assert.equal(show(transport), `<SubprocessTransport pid=${pid} returncode=0 stdin stdout>`);
  });

  testProgram("knows the host's process, its own number and its pipes", async () => {
    const [transport, protocol] = await subprocessExec(() => new Recorder(), "cat");
    const subprocess = transport.getExtraInfo("subprocess") as { pid: number };
    assert.equal(subprocess.pid, transport.getPid());
    assert.equal(groupOf(transport.getPid()), transport.getPid());
    assert.equal(transport.getExtraInfo("nothing", "missing"), "missing");
    assert.ok(transport.getPipeTransport(1)?.getExtraInfo("pipe"));
    assert.equal(transport.getPipeTransport(3), null);
    assert.equal(transport.getProtocol(), protocol);
    const next = new Recorder();
    transport.setProtocol(next);
    assert.throws(() => transport.setProtocol(null as unknown as object), ArgumentTypeError);
    stdinOf(transport).writeEof();
    await next.lost;
    assert.equal(protocol.calls.includes("processExited"), false);
  });

  testProgram("can pause a pipe", async () => {
    const [transport, protocol] = await subprocessExec(() => new Recorder(), "cat");
    const stdout = transport.getPipeTransport(1) as Transport;
    stdout.pauseReading();
    stdinOf(transport).write(bytes("abc"));
    stdinOf(transport).writeEof();
    await protocol.exited;
    assert.equal(protocol.data.get(1), undefined);
    stdout.resumeReading();
    await protocol.lost;
    assert.equal(protocol.data.get(1), "abc");
  });

  testProgram("calls its protocol in the context that it was made in, outside of any task", async () => {
    const variable = new ContextVar<string>("variable");
    const seen: string[] = [];
    const done = new Future<void>();
    variable.set("there");
    await subprocessShell(
      () => ({
        connectionMade: () => seen.push(variable.get("none")),
        pipeDataReceived: () => seen.push(variable.get("none")),
        processExited: () => seen.push(variable.get("none")),
        connectionLost: () => {
          seen.push(variable.get("none"));
          done.setResult();
        },
      }),
      "echo x",
    );
    variable.set("later");
    await done;
    assert.deepEqual(seen, ["there", "there", "there", "there"]);
  });

  testProgram("passes on the errors of a protocol to the loop's handler, and goes on", async () => {
    const noted = noteExceptions();
    const done = new Future<void>();
    const [transport] = await subprocessShell(
      () => ({
        pipeConnectionLost: (fd: number) => {
          throw new Error(`of pipe ${fd}`);
        },
        processExited: () => {
          throw new Error("of the exit");
        },
        connectionLost: () => done.setResult(),
      }),
      "exit 3",
      { stdin: DEVNULL, stderr: DEVNULL },
    );
    await done;
    assert.equal(transport.getReturncode(), 3);
    assert.deepEqual(noted.map(({ exception }) => String(exception)).sort(), [
      "Error: of pipe 1",
      "Error: of the exit",
    ]);
  });
});
