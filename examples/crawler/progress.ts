// A progress bar that is drawn over itself on a terminal; elsewhere (a file, CI) a plain line now and then.
import process from "node:process";
import { coroutine, getRunningLoop, sleep } from "corio";
import type { Crawl } from "./crawler.ts";
import { count, seconds } from "./format.ts";

const SECONDS_BETWEEN_FRAMES = 0.1;
const SECONDS_BETWEEN_LINES = 2;
const ERASE_LINE = "\r\u001b[2K";

/** Shows how far the crawl is until it is cancelled. */
export const showProgress = coroutine(async function showProgress(crawl: Crawl) {
  const show = process.stdout.isTTY ? showBar : showLines;
  await crawl.activities.track("showing the progress", () => show(crawl));
});

async function showBar(crawl: Crawl): Promise<void> {
  const loop = getRunningLoop();
  const started = loop.time();
  try {
    while (true) {
      process.stdout.write(ERASE_LINE + frame(crawl, loop.time() - started));
      await sleep(SECONDS_BETWEEN_FRAMES);
    }
  } finally {
    process.stdout.write(`${ERASE_LINE}${frame(crawl, loop.time() - started)}\n`);
  }
}

async function showLines(crawl: Crawl): Promise<void> {
  while (true) {
    await sleep(SECONDS_BETWEEN_LINES);
    console.log(position(crawl));
  }
}

function frame(crawl: Crawl, elapsed: number): string {
  const { pagesDone, pagesFound, pagesFailed } = crawl.statistics;
  const text = ` ${position(crawl)}, ${count(pagesFailed)} failed, ${seconds(elapsed)}`;
  // A line that is broken in two could not be erased.
  const columns = process.stdout.columns - 1;
  const width = Math.max(0, Math.min(30, columns - text.length));
  const filled = Math.floor((width * pagesDone) / pagesFound);
  return ("█".repeat(filled) + "░".repeat(width - filled) + text).slice(0, columns);
}

function position({ statistics }: Crawl): string {
  return `${count(statistics.pagesDone)} of ${count(statistics.pagesFound)} pages`;
}
