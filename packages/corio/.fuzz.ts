import { readFileSync } from "node:fs";
import { coroutine, createTask, run, sleep, Lock, Semaphore, Queue, LifoQueue, PriorityQueue, Barrier, Condition, Event, CancelledError } from "corio";
import { VirtualClock } from "corio/testing";
const { loadPyodide } = await import("/tmp/pyo/node_modules/pyodide/pyodide.mjs");
const py = await loadPyodide();
py.runPython(readFileSync("/tmp/prim/fuzz/oracle.py", "utf8"));
const oracle = py.globals.get("run_program");
let seed = Number(process.argv[2] ?? 1);
const rnd = (n: number) => { seed = (seed * 48271) % 2147483647; return seed % n; };
type Op = any[];
const kinds: Record<string, string[]> = {
  lock: ["la", "la", "lr", "lr", "lw", "s"], sem: ["sa", "sa", "sr", "sr", "sw", "s"], cond: ["ca", "ca", "cw", "cw", "cf", "cr", "n", "na", "pn", "gn"],
  queue: ["p", "p", "g", "g", "pn", "gn", "td", "j", "s", "s"], shut: ["p", "p", "g", "g", "pn", "gn", "td", "j", "s", "sh"],
  bar: ["bw", "bw", "bw", "bw", "bw", "br", "ba", "br", "s"], ev: ["ew", "ew", "es", "ec", "s"],
};
const syncKinds: Record<string, string[]> = { lock: ["lr"], sem: ["sr", "sr"], cond: ["lr", "cr", "n", "na", "pn"], queue: ["pn", "gn", "td"], shut: ["pn", "gn", "td"], bar: [], ev: ["es", "ec"] };
function op(pool: string[], tasks: number): Op {
  const k = rnd(12) === 0 ? "x" : pool[rnd(pool.length)]!;
  const args: Op = k === "x" ? [rnd(tasks)] : k === "n" ? [1 + rnd(2)] : k === "cf" ? [rnd(2)] : k === "p" || k === "pn" ? [rnd(3)] : k === "sh" ? [rnd(3) === 0] : [];
  const r = [k, ...args];
  if (rnd(4) === 0) r.push("!");
  return r;
}
function program() {
  const families = Object.keys(kinds);
  const f = families[rnd(families.length)]!;
  const g = rnd(3) === 0 ? families[rnd(families.length)]! : f;
  const pool = [...kinds[f]!, ...kinds[g]!], sync = [...syncKinds[f]!, ...syncKinds[g]!, "x"];
  const n = 3 + rnd(5);
  return { sem: rnd(3), share: rnd(3) === 0, q: "flp"[rnd(3)], max: rnd(4), par: 1 + rnd(4), tasks: Array.from({ length: n }, () => Array.from({ length: 4 + rnd(12) }, () => op(pool, n))), main: Array.from({ length: 40 }, () => Array.from({ length: rnd(3) }, () => { const o = op(sync, n); if (o.at(-1) === "!") o.pop(); return o; })) };
}
function interpret(prog: any, form: string): Promise<string> {
  const log: any[] = [];
  const lock = new Lock(), sem = new Semaphore(prog.sem), cond = new Condition(prog.share ? lock : undefined);
  const q: Queue<any> = new ({ f: Queue, l: LifoQueue, p: PriorityQueue } as any)[prog.q](prog.max);
  const bar = new Barrier(prog.par), ev = new Event();
  const tasks: any[] = []; let counter = 0;
  const item = (p: number) => { counter++; return prog.q === "p" ? [p, counter] : counter; };
  const state = () => [lock.locked(), sem.locked(), sem.statistics().value, cond.locked(), q.qsize(), q.statistics().unfinishedTasks, bar.statistics().state, bar.nWaiting, ev.isSet()];
  const sync = (o: Op): any => {
    switch (o[0]) {
      case "lr": return lock.release(); case "sr": return sem.release(); case "cr": return cond.release();
      case "n": return cond.notify(o[1]); case "na": return cond.notifyAll(); case "es": return ev.set(); case "ec": return ev.clear();
      case "pn": return q.putNowait(item(o[1])); case "gn": return q.getNowait(); case "td": return q.taskDone(); case "sh": return q.shutdown(o[1]);
      case "x": if (o[1] < tasks.length) return tasks[o[1]].cancel();
    }
  };
  const isAsync = (o: Op) => ["la", "sa", "ca", "cw", "cf", "ew", "p", "g", "j", "bw", "br", "ba", "lw", "sw", "s"].includes(o[0]);
  const do_ = (o: Op): any => {
    switch (o[0]) {
      case "la": return lock.acquire(); case "sa": return sem.acquire(); case "ca": return cond.acquire(); case "cw": return cond.wait();
      case "cf": return cond.waitFor(() => q.qsize() > o[1]); case "ew": return ev.wait(); case "p": return q.put(item(o[1])); case "g": return q.get();
      case "j": return q.join(); case "bw": return bar.wait(); case "br": return bar.reset(); case "ba": return bar.abort();
      case "lw": return lock.with(form === "native" ? async () => { await sleep(0); } : function* () { yield* sleep(0); });
      case "sw": return sem.with(form === "native" ? async () => { await sleep(0); } : function* () { yield* sleep(0); });
      case "s": return sleep(0);
    }
  };
  const name = (e: any) => e.name;
  const native = coroutine(async function worker(i: number, ops: Op[]) {
    for (const [n, o] of ops.entries()) {
      let r: any;
      try { r = ["ok", (isAsync(o) ? await do_(o) : sync(o)) ?? null]; } catch (e) {
        if (e instanceof CancelledError) { r = ["cancelled"]; if (o.at(-1) === "!") { log.push([i, n, o[0], r, state()]); throw e; } } else r = [name(e)];
      }
      log.push([i, n, o[0], r, state()]);
    }
  });
  const generator = coroutine(function* worker(i: number, ops: Op[]): any {
    for (const [n, o] of ops.entries()) {
      let r: any;
      try { r = ["ok", (isAsync(o) ? yield* do_(o) : sync(o)) ?? null]; } catch (e) {
        if (e instanceof CancelledError) { r = ["cancelled"]; if (o.at(-1) === "!") { log.push([i, n, o[0], r, state()]); throw e; } } else r = [name(e)];
      }
      log.push([i, n, o[0], r, state()]);
    }
  });
  const main = coroutine(async function main() {
    for (const [i, ops] of prog.tasks.entries()) tasks.push(createTask((form === "generator" || (form === "mixed" && i % 2) ? generator : native)(i, ops)));
    for (const [n, ops] of prog.main.entries()) {
      await sleep(0);
      for (const o of ops) { let r; try { r = ["ok", sync(o) ?? null]; } catch (e) { r = [name(e)]; } log.push(["main", n, o[0], r, state()]); }
      log.push(["tick", n, tasks.map((t) => t.done())]);
    }
    result = JSON.stringify(log);
  });
  let result = "[]";
  return run(main(), { clock: new VirtualClock() }).then(() => result, () => result);
}
const count = Number(process.argv[3] ?? 500);
let events = 0, bad = 0;
const norm = (s: string) => s.replace(/, /g, ",").replace(/: /g, ":");
const seen: Record<string, number> = {};
for (let k = 0; k < count; k++) {
  const prog = program();
  const expected = norm(oracle(JSON.stringify(prog)));
  const ex = JSON.parse(expected);
  events += ex.length;
  for (const e of ex) if (e[0] !== "tick") { const key = `${e[2]}:${e[3][0]}`; seen[key] = (seen[key] ?? 0) + 1; }
  for (const form of ["native", "generator", "mixed"]) {
    let got: string;
    try { got = await interpret(prog, form); } catch (e) { got = "[]"; console.log(e); }
    if (got !== expected) {
      bad++;
      if (bad < 4) {
        const g = JSON.parse(got);
        const at = ex.findIndex((e: any, i: number) => JSON.stringify(e) !== JSON.stringify(g[i]));
        console.log("program", k, form, "differs at", at);
        for (let i = Math.max(0, at - 6); i <= at + 2; i++) console.log("  py", JSON.stringify(ex[i]), "\n  ts", JSON.stringify(g[i]));
        console.log(JSON.stringify(prog));
      }
    }
  }
}
console.log(count, "programs", events, "events", bad, "differ");
if (process.argv[4]) console.log(seen);
process.exit(0);
