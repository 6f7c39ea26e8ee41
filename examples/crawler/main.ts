// Crawls a site of three thousand pages, some slow, some failing, which it serves itself on this machine. Ctrl-C stops
// it in order: every task is cancelled where it waits, requests are aborted, the server is closed.
// Run it: node scripts/run-ts.mjs examples/crawler/main.ts
import process from "node:process";
import { coroutine, KeyboardInterrupt, run, until } from "corio";
import { Crawl, runCrawl } from "./crawler.ts";
import { Site } from "./site.ts";
import { interruptionReport, summary } from "./summary.ts";

const crawl = new Crawl({
  workers: 40,
  requestsAtOnce: 32,
  requestTimeout: 1,
  attempts: 3,
  retryDelay: 0.1,
});

const main = coroutine(async function main() {
  // A cancel that comes meanwhile waits until the site is here, so that it is closed below.
  const site = await until(() => Site.start({ pages: 3000, seed: 20 }));
  try {
    await runCrawl(crawl, `${site.origin}/`);
  } finally {
    await until(() => site.close());
  }
});

const started = performance.now();
const elapsed = () => (performance.now() - started) / 1000;

try {
  await run(main(), { name: "main" });
  console.log(summary(crawl, elapsed()));
} catch (error) {
  if (!(error instanceof KeyboardInterrupt)) throw error;
  console.log(interruptionReport(crawl, elapsed()));
  process.exitCode = 130;
}
