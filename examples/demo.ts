// Runs the articles' programs one after another, each timed, and then the crawler.
// Run it: npm run demo
import process from "node:process";
import { KeyboardInterrupt } from "corio";

interface Program {
  readonly file: string;
  readonly shows: string;
  /** Seconds that its parts take one after another. */
  readonly apart: number;
}

const programs: readonly Program[] = [
  { file: "fetch-data.ts", shows: "two tasks made with createTask, awaited in turn", apart: 4 },
  { file: "say-hello.ts", shows: "run of one coroutine", apart: 2 },
  { file: "blocking-fetch.ts", shows: "the blocking twin: nothing else runs meanwhile", apart: 2 },
  { file: "async-fetch.ts", shows: "a coroutine that awaits a coroutine", apart: 2 },
  { file: "download.ts", shows: "gather of three coroutines", apart: 6 },
  { file: "blocking-in-a-coroutine.ts", shows: "a blocking call inside a coroutine is noticed", apart: 2.1 },
];

try {
  for (const program of programs) await show(program);
  title("crawler/main.ts", "three thousand pages, some slow, some failing; Ctrl-C stops it in order");
  await import("./crawler/main.ts");
} catch (error) {
  if (!(error instanceof KeyboardInterrupt)) throw error;
  process.exitCode = 130;
}

async function show({ file, shows, apart }: Program): Promise<void> {
  title(file, shows);
  const started = performance.now();
  const elapsed = () => `${((performance.now() - started) / 1000).toFixed(2)} s`;
  try {
    await import(`./articles/${file}`);
  } catch (error) {
    if (error instanceof KeyboardInterrupt)
      console.log(`   Ctrl-C: ${file} and its tasks were cancelled after ${elapsed()}`);
    throw error;
  }
  console.log(`   took ${elapsed()}, one after another ${apart.toFixed(2)} s\n`);
}

function title(file: string, text: string): void {
  console.log(`── ${file}: ${text}`);
}
