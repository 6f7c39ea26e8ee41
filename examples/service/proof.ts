// What becomes of a request for which nobody waits any more: this starts the service, ends requests in three ways, and
// looks on from outside, at pg_stat_activity and at the other server. `npm run service:proof`
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ClientSession, Reply, serve } from "@corio/http";
import type { ServerRequest } from "@corio/http";
import { createPool } from "@corio/postgres";
import type { PostgresPool } from "@corio/postgres";
import { coroutine, createTask, Future, run, sleep, timeout, TimeoutError } from "corio";
import type { Coroutine } from "corio";
import { createSubprocessExec, PIPE, ProcessStartError, runProcess } from "corio/subprocess";
import type { Process } from "corio/subprocess";
import { openDatabase } from "./database.ts";

/** Seconds that anything here may take. */
const PATIENCE = 20;

const main = coroutine(async function main() {
  await using database = await openDatabase(process.env["DATABASE_URL"]);
  await using pool = createPool({ url: database.url, applicationName: "onlooker" });
  await using rates = await serve(answerRate, { shutdownTimeout: 0 });
  await using service = await startService({
    DATABASE_URL: database.url,
    SHOPS_URL: rates.url,
    PORT: "0",
    DEADLINE: "2",
    SHUTDOWN: "1",
  });
  const report = `${await timeout(PATIENCE, () => showLog(service))}/report`;
  const url = `${report}?seconds=60`;
  // Opens connections, so that what follows shows nothing else.
  await get(`${report}?seconds=0`, PATIENCE);
  const watching = createTask(() => watchQueries(pool));

  begin(`The client goes away: curl --max-time 1 '${url}'`);
  await visit(url, { maxTime: 1 });

  begin("The deadline of the request passes, here after 2 seconds");
  await visit(url);

  begin("The service gets SIGTERM: requests may go on for 1 second");
  await visit(url, {
    meanwhile: () => {
      service.terminate();
      tell("service", "is sent SIGTERM");
    },
  });
  const code = await timeout(PATIENCE, () => service.wait());
  tell("service", code === -15 ? "has ended, by SIGTERM" : `has ended with ${code}, not by SIGTERM`);
  if (code !== -15) process.exitCode = 1;
  watching.cancel();
});

// ── The timeline ──────────────────────────────────────────────────────────────────────────────────────────────────

let zero = 0;
const elapsed = () => (performance.now() - zero) / 1000;

function begin(title: string): void {
  console.log(`\n── ${title}\n`);
  zero = performance.now();
}

function tell(who: string, what: string): void {
  console.log(`${elapsed().toFixed(2).padStart(6)} s  ${who.padEnd(12)} ${what}`);
}

// ── Who looks on ──────────────────────────────────────────────────────────────────────────────────────────────────

const queries = new Set<number>();
let rateRequests = 0;
/** Requests that the service has logged: they are over. */
let logged = 0;

/** The queries of the service, as PostgreSQL itself lists them. */
async function watchQueries(pool: PostgresPool): Promise<void> {
  const text = `
    SELECT pid FROM pg_stat_activity
    WHERE application_name = 'corio service' AND state = 'active' AND query LIKE '%pg_sleep%'`;
  while (true) {
    const pids = new Set((await pool.fetch<{ pid: number }>(text)).map(({ pid }) => pid));
    for (const pid of pids) if (!queries.has(pid)) tell("PostgreSQL", `process ${pid} runs pg_sleep(60)`);
    for (const pid of queries) if (!pids.has(pid)) tell("PostgreSQL", `process ${pid} runs it no more`);
    queries.clear();
    for (const pid of pids) queries.add(pid);
    await sleep(0.005);
  }
}

/** The server that the service asks for the rate: it has one for those only who do not want to wait. */
async function answerRate({ query }: ServerRequest): Promise<Reply | null> {
  if (query.get("seconds") === "0") return Reply.json({ rate: 1 });
  rateRequests++;
  tell("other server", "GET /rate has come");
  try {
    await sleep(Infinity);
  } finally {
    rateRequests--;
    tell("other server", "GET /rate is gone");
  }
  return null;
}

async function eventually(isSo: () => boolean): Promise<void> {
  await timeout(PATIENCE, async () => {
    while (!isSo()) await sleep(0.001);
  });
}

// ── The service, and who visits it ────────────────────────────────────────────────────────────────────────────────

function startService(settings: Readonly<Record<string, string>>): Coroutine<Process> {
  const inRepository = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
  return createSubprocessExec(
    process.execPath,
    inRepository("scripts/run-ts.mjs"),
    inRepository("examples/service/main.ts"),
    { stdout: PIPE, env: { ...process.env, ...settings } },
  );
}

/** Shows the lines about requests; gives the service's address. */
async function showLog({ stdout }: Process): Promise<string> {
  const address = new Future<string>();
  createTask(async () => {
    for await (const line of stdout?.lines() ?? []) {
      const [, url] = /^Listening on (http:\S+)\./.exec(line) ?? [];
      if (url !== undefined) address.setResult(url);
      if (!line.startsWith("GET ")) continue;
      logged++;
      if (zero > 0) tell("service", line);
    }
    if (!address.done()) address.setException(new Error("the service did not start"));
  });
  return await address;
}

interface Visit {
  readonly maxTime?: number;
  /** Called when the query runs and the other server is asked. */
  readonly meanwhile?: () => void;
}

async function visit(url: string, { maxTime = PATIENCE, meanwhile }: Visit = {}): Promise<void> {
  const before = logged;
  const visitor = createTask(() => get(url, maxTime));
  await eventually(() => queries.size > 0 && rateRequests > 0);
  meanwhile?.();
  tell("client", await visitor);
  const left = elapsed();
  await eventually(() => queries.size === 0 && rateRequests === 0 && logged > before);
  console.log(`          all gone ${Math.round(1000 * (elapsed() - left))} ms after the client knew`);
}

/** What a client gets to see: with curl, or without where there is none. */
async function get(url: string, maxTime: number): Promise<string> {
  try {
    const options = [
      "--silent",
      "--show-error",
      "--write-out",
      " (%{http_code})",
      "--max-time",
      `${maxTime}`,
    ];
    const { stdout, stderr, returncode } = await runProcess("curl", ...options, url);
    const decoder = new TextDecoder();
    return decoder.decode(returncode === 0 ? stdout : stderr).trim();
  } catch (error) {
    if (!(error instanceof ProcessStartError)) throw error;
  }
  await using session = new ClientSession({ timeout: maxTime });
  try {
    return await session.get(url, async (response) => `${await response.text()} (${response.status})`);
  } catch (error) {
    if (!(error instanceof TimeoutError)) throw error;
    return String(error);
  }
}

await run(main());
