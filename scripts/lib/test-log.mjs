// Reads the lines of packages/corio/test/support/run.ts and prints the failures.

/** Also in packages/corio/test/support/run.ts, with the types of the events. */
const EVENT_MARK = "\u001ecorio-test ";

export class TestLog {
  passed = 0;
  failed = 0;
  skipped = 0;
  /** Whether all tests have run. */
  ended = false;
  /** @type {string | undefined} */
  #running;
  #lastEvent = Date.now();
  #slowest;
  /** @type {{ title: string, milliseconds: number }[]} */
  #times = [];

  /** @param {number} slowest how many of the tests that took longest are listed in the end */
  constructor(slowest) {
    this.#slowest = slowest;
  }

  /** @param {string} line */
  addLine(line) {
    const mark = line.indexOf(EVENT_MARK);
    if (mark === -1) {
      console.log(line);
      return;
    }
    if (mark > 0) console.log(line.slice(0, mark));
    const now = Date.now();
    const milliseconds = now - this.#lastEvent;
    this.#lastEvent = now;
    const event = JSON.parse(line.slice(mark + EVENT_MARK.length));
    switch (event.type) {
      case "start":
        this.#running = event.title;
        break;
      case "pass":
        this.passed++;
        this.#times.push({ title: event.title, milliseconds });
        break;
      case "skip":
        this.skipped++;
        break;
      case "fail":
        this.addFailure(event.title, event.error);
        break;
      case "end":
        this.ended = true;
        break;
    }
  }

  /**
   * @param {string} title
   * @param {string} error
   */
  addFailure(title, error) {
    this.failed++;
    console.log(`FAILED ${title}\n${error.replace(/^/gm, "  ")}\n`);
  }

  /**
   * The whole host has failed: it ended early, or hangs where even its timers do not run.
   *
   * @param {string} reason
   */
  abort(reason) {
    if (this.ended) return;
    this.ended = true;
    this.addFailure(this.#running ?? "(no test has started)", reason);
  }

  /** Whether a test has started. */
  get hasBegun() {
    return this.#running !== undefined;
  }

  /** Milliseconds in which no test has started or ended. */
  get silence() {
    return Date.now() - this.#lastEvent;
  }

  close() {
    if (this.passed + this.failed === 0) this.addFailure("(no test)", "no test has run");
    const slowest = this.#times.sort((a, b) => b.milliseconds - a.milliseconds).slice(0, this.#slowest);
    for (const { title, milliseconds } of slowest)
      console.log(`${String(milliseconds).padStart(6)} ms  ${title}`);
    const skipped = this.skipped > 0 ? `, ${String(this.skipped)} skipped` : "";
    console.log(`${String(this.passed)} passed, ${String(this.failed)} failed${skipped}`);
  }
}

/** Milliseconds until the first test starts: a busy machine needs long to start a browser, and to load all tests. */
const TIME_TO_START = 120_000;

/**
 * Aborts a run in which no test starts or ends for longer than its own time limit allows. Before the first test that
 * limit does not count: it says nothing about the host's start.
 *
 * @param {TestLog} log
 * @param {number} timeout milliseconds that one test may take
 * @param {() => void} stop
 */
export function watch(log, timeout, stop) {
  const timer = setInterval(() => {
    const limit = log.hasBegun ? timeout + 10_000 : TIME_TO_START;
    if (log.silence < limit) return;
    log.abort(`hangs: nothing has happened for ${String(limit / 1000)} s`);
    stop();
  }, 250);
  return {
    stop: () => {
      clearInterval(timer);
    },
  };
}
