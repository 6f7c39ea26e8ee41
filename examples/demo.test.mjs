// Tests `npm run demo`: what it prints, how long it takes, and what Ctrl-C does at several moments.
import { spawn } from "node:child_process";
import { inRoot, ROOT } from "../scripts/lib/paths.mjs";

const DEMO = [process.execPath, inRoot("scripts/demo.mjs")];
const CRAWLER = [process.execPath, inRoot("scripts/run-ts.mjs"), inRoot("examples/crawler/main.ts")];
/** Seconds from the first signal to the end. */
const PATIENCE = 3;

/**
 * @typedef {object} Interruption
 * @property {RegExp} when in the output
 * @property {boolean} [wholeGroup] as a terminal does it; otherwise the process alone
 * @property {boolean} [twice] as with an `npm run` that hands on what the terminal has sent already
 *
 * @typedef {object} Run
 * @property {number | null} code
 * @property {NodeJS.Signals | null} signal
 * @property {string} stdout
 * @property {string} stderr
 * @property {number} seconds since the interruption, or since the start
 */

/**
 * @param {readonly string[]} command
 * @param {Interruption} [interruption]
 * @returns {Promise<Run>}
 */
function run([file = "", ...args], interruption) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: "1" },
      stdio: ["ignore", "pipe", "pipe"],
      detached: interruption?.wholeGroup ?? false,
    });
    const output = { stdout: "", stderr: "" };
    let begin = performance.now();
    let isInterrupted = false;
    const interrupt = () => {
      if (child.pid !== undefined)
        process.kill(interruption?.wholeGroup === true ? -child.pid : child.pid, "SIGINT");
    };
    child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output.stderr += text;
    });
    child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      output.stdout += text;
      if (isInterrupted || interruption?.when.test(output.stdout) !== true) return;
      isInterrupted = true;
      begin = performance.now();
      interrupt();
      if (interruption.twice === true) setTimeout(interrupt, 1);
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      resolve({ code, signal, ...output, seconds: (performance.now() - begin) / 1000 });
    });
  });
}

const url = "https://www.example.com";
const articles = [
  {
    file: "fetch-data.ts",
    output: [
      `Starting request: ${url}/data1`,
      `Starting request: ${url}/data2`,
      `Finished request: ${url}/data1`,
      `Finished request: ${url}/data2`,
      `Data from ${url}/data1`,
      `Data from ${url}/data2`,
    ],
    seconds: [2, 3.5],
  },
  { file: "say-hello.ts", output: ["Hello", "World"], seconds: [2, 3.5] },
  { file: "blocking-fetch.ts", output: ["Data"], seconds: [2, 3.5] },
  { file: "async-fetch.ts", output: ["Data"], seconds: [2, 3.5] },
  {
    file: "download.ts",
    output: [
      ...["file1.txt", "file2.txt", "file3.txt"].map((file) => `Downloading ${file}...`),
      ...["file1.txt", "file2.txt", "file3.txt"].map((file) => `${file} downloaded!`),
    ],
    seconds: [2, 3.5],
  },
  {
    file: "blocking-in-a-coroutine.ts",
    output: ["tick 1", "tick 2", "Starting a blocking call: no ticks", "Data", "tick 3", "tick 4"],
    seconds: [1.5, 3],
  },
];

// The same for every run: they follow from the seed in examples/crawler/main.ts.
const SUMMARY = `
Pages      3,010 found, 2,948 fetched, 62 failed
Failed     25 HTTP 500, 20 timed out, 12 HTTP 404, 3 connection reset, 2 page cut off
Retried    155 pages, 105 of them with success
Requests   3,215, of which 267 failed: 125 HTTP 500, 100 timed out, 19 connection reset, 12 HTTP 404, 11 page cut off
Timed out  100 requests, after 1.0 s each
Received   5.51 MB (5,512,451 bytes)
`;

let passed = 0;
let failed = 0;

/** @param {string} name @param {Run} result @param {Record<string, boolean>} expectations */
function check(name, result, expectations) {
  const broken = Object.keys(expectations).filter((expectation) => expectations[expectation] !== true);
  if (broken.length === 0) {
    passed++;
    return;
  }
  failed++;
  const { code, signal, seconds, stdout, stderr } = result;
  console.log(`FAILED ${name}: not so: ${broken.join("; ")}`);
  console.log(
    `exit code ${code}, signal ${signal}, ${seconds.toFixed(1)} s\n${stdout}\n${stderr}`.replace(/^/gm, "  "),
  );
}

async function checkWhole() {
  const result = await run(DEMO);
  const sections = new Map(
    result.stdout
      .split(/^── /m)
      .slice(1)
      .map((section) => [section.slice(0, section.indexOf(":")), section.slice(section.indexOf("\n") + 1)]),
  );
  for (const { file, output, seconds } of articles) {
    const section = sections.get(file) ?? "";
    const [, took = "", apart = ""] = /^ {3}took (\S+) s, one after another (\S+) s$/m.exec(section) ?? [];
    const [least = 0, most = 0] = seconds;
    check(file, result, {
      "its output": section.startsWith(`${output.join("\n")}\n   took `),
      "its time": Number(took) >= least - 0.05 && Number(took) < most,
      // The others have nothing to do at the same time.
      "faster than one after another": output.length < 6 || Number(took) < Number(apart),
    });
  }
  check("the blocking call is noticed", result, {
    "the warning": /executing task 'blocking-main' \(\w+\) took 1\.\d+ seconds/.test(result.stderr),
  });
  const crawl = sections.get("crawler/main.ts") ?? "";
  check("the crawler", result, {
    "exit code 0": result.code === 0,
    "progress lines": /^[\d,]+ of [\d,]+ pages$/m.test(crawl),
    "the numbers of the summary": crawl.includes(SUMMARY),
    "the most requests at once": /^Speed .* at most 32 at once$/m.test(crawl),
    "at least ten times as fast": /^Time .*; one after another .*, [1-9]\d times as long$/m.test(crawl),
  });
}

async function checkInterruptions() {
  const during = { when: /^[\d,]+ of [\d,]+ pages$/m };
  await checkCrawlerInterrupted("Ctrl-C in the crawler", during);
  await checkCrawlerInterrupted("Ctrl-C in the crawler, delivered twice", { ...during, twice: true });

  const inArticle = { when: /data2$/m };
  const article = await run(DEMO, inArticle);
  check("Ctrl-C in an article's program", article, {
    "exit code 130": article.code === 130,
    "what was cancelled": /^ {3}Ctrl-C: fetch-data\.ts .* cancelled after/m.test(article.stdout),
    "the rest is not run": !article.stdout.includes("say-hello.ts"),
    "in time": article.seconds < PATIENCE,
  });

  if (process.platform === "win32") return;
  const group = await run(["npm", "run", "demo"], { ...inArticle, wholeGroup: true });
  check("Ctrl-C at `npm run demo`", group, {
    // npm ends by the signal when its shell does.
    "exit code 130": group.code === 130 || group.signal === "SIGINT",
    "what was cancelled": /^ {3}Ctrl-C: fetch-data\.ts .* cancelled after/m.test(group.stdout),
    "in time": group.seconds < PATIENCE,
  });
}

/** @param {string} name @param {Interruption} interruption */
async function checkCrawlerInterrupted(name, interruption) {
  const result = await run(CRAWLER, interruption);
  const { stdout } = result;
  const [, number = ""] = /^(\d+) tasks were cancelled:$/m.exec(stdout) ?? [];
  const cancelled = stdout.match(/^ {2}(?:main|progress|worker-\d+) +\w.*, for \d+\.\d\d s$/gm) ?? [];
  check(name, result, {
    "exit code 130": result.code === 130,
    "how far it came": /^Ctrl-C after .* s: [\d,]+ of the [\d,]+ pages found so far were done/m.test(stdout),
    "42 tasks cancelled": number === "42" && cancelled.length === 42,
    "requests under way": /^ {2}worker-\d+ +fetching \/page\/\d+, attempt [123], for/m.test(stdout),
    "nothing left": stdout.endsWith("\n0 tasks are left; the server is closed.\n"),
    "nothing else": result.stderr.replaceAll(/^.*(?:ExperimentalWarning|--trace-warnings).*\n/gm, "") === "",
    "in time": result.seconds < PATIENCE,
  });
}

// The interruptions are over before the whole demo comes to its crawler.
await Promise.all([checkWhole(), checkInterruptions()]);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
