// The crawler: workers take addresses from a queue, fetch them, and put the links they find into the same queue.
import {
  coroutine,
  getRunningLoop,
  Queue,
  Semaphore,
  sleep,
  taskGroup,
  timeout,
  TimeoutError,
  until,
} from "corio";
import { Activities } from "./activities.ts";
import { showProgress } from "./progress.ts";
import { Statistics } from "./statistics.ts";

export interface CrawlOptions {
  readonly workers: number;
  /** How many requests may be under way; a worker that waits before its next attempt has none. */
  readonly requestsAtOnce: number;
  /** Seconds that one attempt may take, up to the last byte of the page. */
  readonly requestTimeout: number;
  readonly attempts: number;
  /** Seconds before the second attempt; twice as long before each further one. */
  readonly retryDelay: number;
}

/** What the tasks of one crawl share. */
export class Crawl {
  readonly options: CrawlOptions;
  readonly statistics: Statistics = new Statistics();
  readonly activities: Activities = new Activities();
  readonly requests: Semaphore;
  /** Without a limit: those who take from it also put in, and must not wait for each other. */
  readonly queue: Queue<string> = new Queue<string>();
  readonly #found: Set<string> = new Set<string>();

  constructor(options: CrawlOptions) {
    this.options = options;
    this.requests = new Semaphore(options.requestsAtOnce);
  }

  /** Puts an address into the queue when it is seen for the first time. */
  add(url: string): void {
    if (this.#found.has(url)) return;
    this.#found.add(url);
    this.statistics.pagesFound++;
    this.queue.putNowait(url);
  }
}

/** Fetches every page that can be reached from `start`. */
export const runCrawl = coroutine(async function runCrawl(crawl: Crawl, start: string) {
  crawl.add(start);
  await taskGroup(async (group) => {
    const progress = group.createTask(showProgress(crawl), { name: "progress" });
    for (let number = 1; number <= crawl.options.workers; number++) {
      void group.createTask(work(crawl), { name: `worker-${number}` });
    }
    await crawl.activities.track("waiting for the workers", async () => {
      await crawl.queue.join();
    });
    // Ends the workers' loops, and with them the group.
    crawl.queue.shutdown();
    progress.cancel("the crawl is complete");
  });
});

const work = coroutine(async function work(crawl: Crawl) {
  await crawl.activities.track("waiting for an address", async () => {
    for await (const url of crawl.queue) {
      try {
        await visit(crawl, url);
      } finally {
        crawl.queue.taskDone();
      }
      crawl.activities.begin("waiting for an address");
    }
  });
});

const visit = coroutine(async function visit(crawl: Crawl, url: string) {
  try {
    const html = await fetchWithRetries(crawl, url);
    for (const link of linksOf(html)) crawl.add(new URL(link, url).href);
  } catch (error) {
    if (!(error instanceof AttemptError)) throw error;
    crawl.statistics.pageFailed(error.message);
  }
});

const fetchWithRetries = coroutine(async function fetchWithRetries(crawl: Crawl, url: string) {
  const { activities, options, statistics } = crawl;
  const { pathname } = new URL(url);
  for (let attempt = 1; ; attempt++) {
    activities.begin(`waiting for its turn to fetch ${pathname}`);
    try {
      const html = await crawl.requests.with(async () => {
        activities.begin(`fetching ${pathname}, attempt ${attempt}`);
        return await fetchOnce(crawl, url);
      });
      statistics.pageFetched(attempt, Buffer.byteLength(html));
      return html;
    } catch (error) {
      if (!(error instanceof AttemptError)) throw error;
      statistics.attemptFailed(error.message);
      if (!error.isWorthAnother || attempt === options.attempts) throw error;
    }
    activities.begin(`waiting before attempt ${attempt + 1} to fetch ${pathname}`);
    const delay = options.retryDelay * 2 ** (attempt - 1);
    await sleep(delay);
    statistics.waitedBeforeAttempt(attempt + 1, delay);
  }
});

const fetchOnce = coroutine(async function fetchOnce({ options, statistics }: Crawl, url: string) {
  const loop = getRunningLoop();
  const started = loop.time();
  statistics.requestStarted();
  try {
    const { status, html } = await timeout(options.requestTimeout, async () => {
      // The signal aborts the request, wherever it is, when its time is up or the task is cancelled.
      return await until((signal) => get(url, signal));
    });
    if (status >= 400) throw new AttemptError(`HTTP ${status}`, status >= 500);
    return html;
  } catch (error) {
    if (error instanceof TimeoutError) throw new AttemptError("timed out", true, { cause: error });
    throw error;
  } finally {
    statistics.requestEnded(loop.time() - started);
  }
});

/** Knows nothing of corio: any function that takes a signal will do. */
async function get(url: string, signal: AbortSignal) {
  const response = await fetch(url, { signal }).catch(connectionFailed("connection reset"));
  const html = await response.text().catch(connectionFailed("page cut off"));
  return { status: response.status, html };
}

/** `fetch` throws a TypeError whenever a connection fails; an abort is something else. */
function connectionFailed(reason: string) {
  return (error: unknown): never => {
    throw error instanceof TypeError ? new AttemptError(reason, true, { cause: error }) : error;
  };
}

/** An attempt that gave no page; the message is the reason. */
class AttemptError extends Error {
  /** Whether the next attempt may come through. */
  readonly isWorthAnother: boolean;

  constructor(reason: string, isWorthAnother: boolean, options?: ErrorOptions) {
    super(reason, options);
    this.isWorthAnother = isWorthAnother;
  }
}

function linksOf(html: string): string[] {
  return Array.from(html.matchAll(/<a href="([^"]+)">/g), ([, target = ""]) => target);
}
