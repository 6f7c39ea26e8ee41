/** The errors of `corio/subprocess`. */
import { CorioError } from "../errors.ts";

/**
 * A process could not be started. The message says what was wrong: no such program, no such working directory, no
 * permission, too many arguments. `cause` is the host's error.
 *
 * Python: `FileNotFoundError`, `PermissionError`, `OSError`.
 */
export class ProcessStartError extends CorioError {
  static override readonly brand: string = "ProcessStartError";
  readonly code = "CORIO_PROCESS_START" as const;
  /** The system's name of the error: `ENOENT`, `EACCES`, `E2BIG`, … Python: `errno`. */
  readonly errno: string;
  /** What was to be run. */
  readonly program: string;

  /** `errno` is the system's name of what went wrong with `program`. */
  constructor(message: string, errno: string, program: string, options?: ErrorOptions) {
    super(message, options);
    this.errno = errno;
    this.program = program;
  }
}

/** A signal was sent to a process that has ended already. Python: `ProcessLookupError`. */
export class ProcessLookupError extends CorioError {
  static override readonly brand: string = "ProcessLookupError";
  readonly code = "CORIO_PROCESS_LOOKUP" as const;
}

/** What a process has left when it ended, for `CalledProcessError`. */
export interface Ended {
  /** What was run. */
  readonly command: string;
  /** The exit code; -N when signal N ended the process. */
  readonly returncode: number;
  /** What the process wrote to its standard output, if that was caught. */
  readonly stdout: Uint8Array;
  /** What the process wrote to its error stream, if that was caught. */
  readonly stderr: Uint8Array;
}

/** How much of the error stream a message has. */
const SHOWN_BYTES = 1000;

/** A process that had to succeed did not: its exit code is not 0. Python: `subprocess.CalledProcessError`. */
export class CalledProcessError extends CorioError implements Ended {
  static override readonly brand: string = "CalledProcessError";
  readonly code = "CORIO_CALLED_PROCESS" as const;
  /** What was run. */
  readonly command: string;
  /** The exit code; -N when signal N ended the process. */
  readonly returncode: number;
  /** What the process wrote to its standard output, if that was caught. */
  readonly stdout: Uint8Array;
  /** What the process wrote to its error stream, if that was caught; the message has the end of it. */
  readonly stderr: Uint8Array;

  /** `ended` is what is known of the process. */
  constructor(ended: Ended, options?: ErrorOptions) {
    const { command, returncode, stdout, stderr } = ended;
    const how = returncode < 0 ? `was ended by signal ${-returncode}` : `ended with exit code ${returncode}`;
    const written = new TextDecoder().decode(stderr.subarray(-SHOWN_BYTES)).trim();
    super(`${command} ${how}${written === "" ? "" : `: ${written}`}`, options);
    this.command = command;
    this.returncode = returncode;
    this.stdout = stdout;
    this.stderr = stderr;
  }
}
