/** What the tests of processes share. Linux: they look into /proc. */
import { readdirSync, readFileSync } from "node:fs";
import { DEVNULL, createSubprocessExec, runProcess, runShell } from "corio/subprocess";
import type { Process } from "corio/subprocess";

/** Not that of `net.ts`: `npm run proof`, which runs outside of the test harness, imports this file. */
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

interface Found {
  readonly pid: number;
  readonly state: string;
  readonly parent: number;
  readonly group: number;
}

function find(pid: number | string): Found | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return null;
  }
  const [state = "", parent, group] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { pid: Number(pid), state, parent: Number(parent), group: Number(group) };
}

/** Whether a process runs; zombies do not. */
export function isAlive(pid: number): boolean {
  const found = find(pid);
  return found !== null && found.state !== "Z" && found.state !== "X";
}

/** The group of a process. */
export function groupOf(pid: number): number | undefined {
  return find(pid)?.group;
}

/**
 * The processes that the tests have started and that are there, also as zombies: in groups of their own, as those are
 * not which the host runs for itself.
 */
export function ownChildren(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => find(name))
    .filter((found) => found?.parent === process.pid && found.group === found.pid)
    .map((found) => (found as Found).pid);
}

/** How many descriptors this process has open. */
export function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

/** Waits until no more descriptors are open than before; some hosts close them a little later. */
export async function descriptorsDownTo(before: number): Promise<void> {
  while (openDescriptors() > before) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** What the host does in its own turns: closing descriptors, for example. */
export async function hostTurns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/**
 * Runs so many short processes one after another, of several kinds: those that nobody reads, that nobody feeds, and that
 * leave others behind. Gives how many descriptors and children there are more than before.
 */
export async function leftOfProcesses(count: number): Promise<{ descriptors: number; zombies: number }> {
  const kinds: (() => PromiseLike<unknown>)[] = [
    async () => await (await createSubprocessExec("true", { stdin: DEVNULL })).wait(),
    () => runProcess("echo", "x"),
    () => runProcess("true", { input: "x" }),
    () => runShell("sleep 1000 & exit 3"),
    async () => await (await createSubprocessExec("sleep", "1000")).stop({ gracePeriod: 0 }),
  ];
  // The first of everything makes the host open some of its own.
  for (const kind of kinds) await kind();
  await hostTurns();
  const before = openDescriptors();
  for (let index = 0; index < count; index++) await kinds[index % kinds.length]?.();
  for (let looks = 0; openDescriptors() > before && looks < 200; looks++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  // Something that was open before, an earlier test's perhaps, may have been closed meanwhile.
  return { descriptors: Math.max(openDescriptors() - before, 0), zombies: ownChildren().length };
}

/** The next line of a process's standard output. */
export async function line(process: Process): Promise<string> {
  return text((await process.stdout?.readline()) ?? new Uint8Array(0)).trimEnd();
}

/** What a `communicate` gave, as text. */
export function texts([stdout, stderr]: readonly (Uint8Array | null)[]): (string | null)[] {
  return [stdout, stderr].map((bytes) => (bytes === null || bytes === undefined ? null : text(bytes)));
}
