// What there is to say when a crawl is over, and when it was interrupted.
import type { CancelledActivity } from "./activities.ts";
import type { Crawl } from "./crawler.ts";
import { count, counts, megabytes, seconds } from "./format.ts";

export function summary({ options, statistics }: Crawl, elapsed: number): string {
  const { failedAttempts, pagesFailed, pagesFetched, pagesFound, requests, retriedPages, secondsApart } =
    statistics;
  return [
    `Pages      ${count(pagesFound)} found, ${count(pagesFetched)} fetched, ${count(pagesFailed)} failed`,
    `Failed     ${counts(statistics.failedPages)}`,
    `Retried    ${count(retriedPages)} pages, ${count(statistics.recoveredPages)} of them with success`,
    `Requests   ${count(requests)}, of which ${count(statistics.attemptsFailed)} failed: ${counts(failedAttempts)}`,
    `Timed out  ${count(failedAttempts.get("timed out") ?? 0)} requests, after ${seconds(options.requestTimeout)} each`,
    `Received   ${megabytes(statistics.bytes)} (${count(statistics.bytes)} bytes)`,
    `Speed      ${count(requests / elapsed)} requests a second, at most ${count(statistics.mostRequestsAtOnce)} at once`,
    `Time       ${seconds(elapsed)}; one after another ${seconds(secondsApart)}, ${count(secondsApart / elapsed)} times as long`,
  ].join("\n");
}

export function interruptionReport({ activities, statistics }: Crawl, elapsed: number): string {
  const byName = new Intl.Collator("en", { numeric: true });
  const cancelled = [...activities.cancelled].sort((a, b) => byName.compare(a.task, b.task));
  return [
    `Ctrl-C after ${seconds(elapsed)}: ${count(statistics.pagesDone)} of the ${count(statistics.pagesFound)} pages found so far were done ` +
      `(${count(statistics.pagesFetched)} fetched, ${count(statistics.pagesFailed)} failed).`,
    `${count(cancelled.length)} tasks were cancelled:`,
    ...cancelled.map(describe),
    `${count(activities.underWay)} tasks are left; the server is closed.`,
  ].join("\n");
}

function describe({ task, description, seconds: duration }: CancelledActivity): string {
  return `  ${task.padEnd(10)} ${description}, for ${duration.toFixed(2)} s`;
}
