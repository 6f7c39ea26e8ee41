// Tests `npm run service`: every route, clients that go away, shutdown under load, what it says when it cannot start.
// The services are processes; the other server that they ask is this one, so that it decides who waits how long.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { isDeepStrictEqual } from "node:util";
import pg from "pg";
import { WebSocket } from "ws";
import { inRoot, ROOT } from "../scripts/lib/paths.mjs";

const RUN_TS = inRoot("scripts/run-ts.mjs");
const SERVICE = [RUN_TS, inRoot("examples/service/main.ts")];
/** Seconds that anything may take before it has failed: a busy machine needs long to start a service. */
const PATIENCE = 120;
/** Seconds within which a client that has gone must be known everywhere: nothing else ends its request before 30. */
const SOON = 10;

let passed = 0;
let failed = 0;

/** @param {string} name @param {() => Promise<void>} body */
async function test(name, body) {
  try {
    await body();
    passed++;
  } catch (error) {
    failed++;
    console.log(`FAILED ${name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}

/** @param {string} what @param {unknown} got @param {unknown} expected */
function equal(what, got, expected) {
  if (isDeepStrictEqual(got, expected)) return;
  throw new Error(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(got)}`);
}

/** Without what Node says of itself, and npm of its settings. @param {string} text */
function withoutWarnings(text) {
  return text.replaceAll(/^(?:npm .*|.*(?:ExperimentalWarning|--trace-warnings).*)\n/gm, "");
}

/** @param {string} text @param {RegExp} pattern */
function matches(text, pattern) {
  if (!pattern.test(text)) throw new Error(`expected ${String(pattern)} in:\n${text}`);
}

/**
 * Looks until it is so, and gives what was found.
 *
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} look
 * @param {number} [seconds]
 */
async function eventually(what, look, seconds = PATIENCE) {
  const end = performance.now() + 1000 * seconds;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`not within ${String(seconds)} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

// ── A service, as a process ───────────────────────────────────────────────────────────────────────────────────────

/** @type {Set<Service>} */
const services = new Set();

class Service {
  output = "";
  errors = "";
  /** @type {Promise<[code: number | null, signal: NodeJS.Signals | null]>} */
  ended;

  /** @param {NodeJS.ProcessEnv} settings @param {readonly string[]} [command] */
  constructor(settings, command = [process.execPath, ...SERVICE]) {
    const [file = "", ...args] = command;
    const { DATABASE_URL: _, ...environment } = process.env;
    this.child = spawn(file, args, {
      cwd: ROOT,
      env: { ...environment, NO_COLOR: "1", PORT: "0", ...settings },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    services.add(this);
    this.child.stdout.setEncoding("utf8").on("data", (/** @type {string} */ text) => (this.output += text));
    this.child.stderr.setEncoding("utf8").on("data", (/** @type {string} */ text) => (this.errors += text));
    this.ended = new Promise((resolve) => {
      this.child.once("close", (code, signal) => {
        services.delete(this);
        resolve([code, signal]);
      });
    });
  }

  /** @param {NodeJS.ProcessEnv} settings @param {readonly string[]} [command] */
  static async start(settings, command) {
    const service = new Service(settings, command);
    await eventually(
      `it listens\n${service.output}\n${service.errors}`,
      () => service.url !== "" || service.child.exitCode !== null,
    );
    if (service.url === "") throw new Error(`it did not start: ${service.output}${service.errors}`);
    return service;
  }

  get url() {
    return /^Listening on (http:\S+)\./m.exec(this.output)?.[1] ?? "";
  }

  get pid() {
    return this.child.pid ?? 0;
  }

  /** @param {string} path */
  async get(path) {
    const response = await fetch(this.url + path);
    return { status: response.status, body: /** @type {unknown} */ (await response.json()) };
  }

  /** @param {string} body @param {string} [type] */
  async order(body, type = "application/json") {
    const response = await fetch(`${this.url}/orders`, {
      method: "POST",
      headers: { "content-type": type },
      body,
    });
    return { status: response.status, text: await response.text() };
  }

  /** How many requests it has, this one left out. */
  async requests() {
    const { body } = await this.get("/status");
    return /** @type {{ requests: number }} */ (body).requests - 1;
  }

  /** Nobody accepts a connection. */
  refuses() {
    return new Promise((resolve) => {
      const socket = connect(Number(new URL(this.url).port), "127.0.0.1");
      socket.once("connect", () => {
        socket.destroy();
        resolve(false);
      });
      socket.once("error", () => resolve(true));
    });
  }
}

// ── The other server ──────────────────────────────────────────────────────────────────────────────────────────────

/** Requests for the rate that have come, and neither been answered nor given up. @type {Set<import("node:http").ServerResponse>} */
const held = new Set();
/** Requests that ask for one of these are answered at once, the others when the test says so. */
const AT_ONCE = ["0", "600"];

const other = createServer((request, response) => {
  const seconds = new URL(request.url ?? "", "http://host").searchParams.get("seconds");
  if (AT_ONCE.includes(String(seconds))) {
    answer(response);
    return;
  }
  held.add(response);
  response.once("close", () => held.delete(response));
});
other.listen(0, "127.0.0.1");
await once(other, "listening");
const { port: otherPort } = /** @type {import("node:net").AddressInfo} */ (other.address());
const SHOPS_URL = `http://127.0.0.1:${String(otherPort)}`;

/** @param {import("node:http").ServerResponse} response */
function answer(response) {
  response.setHeader("content-type", "application/json");
  response.end('{"rate":2}');
}

// ── The database ──────────────────────────────────────────────────────────────────────────────────────────────────

const ownPostgres = spawn(process.execPath, [inRoot("examples/service/own-postgres.mjs")], {
  stdio: ["pipe", "pipe", "inherit"],
});
let printed = "";
ownPostgres.stdout.setEncoding("utf8").on("data", (/** @type {string} */ text) => (printed += text));
const DATABASE_URL = await eventually("PostgreSQL starts", () => /^postgres:.*$/m.exec(printed)?.[0]);
const database = new pg.Client(DATABASE_URL);
await database.connect();

/** The queries of services that are running, as PostgreSQL lists them. */
async function queries() {
  const { rows } = await database.query(`
    SELECT query FROM pg_stat_activity
    WHERE application_name = 'corio service' AND state = 'active' AND query LIKE '%pg_sleep%'`);
  return rows.length;
}

// ── Tests ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const service = await Service.start({ DATABASE_URL });

await test("every route", async () => {
  const tea = {
    offers: [
      { shop: "market", price: 4 },
      { shop: "corner", price: 6 },
    ],
    missing: { outlet: "TimeoutError" },
  };
  equal("offers", await service.get("/offers/tea"), { status: 200, body: tea });
  const ordered = await service.order('{"product":"tea","quantity":2}');
  equal("an order", ordered, { status: 201, text: '{"product":"tea","quantity":2,"id":1}' });
  equal("orders", await service.get("/orders"), {
    status: 200,
    body: [{ id: 1, product: "tea", quantity: 2 }],
  });
  const report = { orders: 1, items: 2, rate: 1.25 };
  equal("report", await service.get("/report?seconds=0.01"), { status: 200, body: report });
  equal("primes", await service.get("/primes?below=1000"), {
    status: 200,
    body: { below: 1000, primes: 168 },
  });
  equal("nothing there", (await service.get("/nothing")).status, 404);
  equal("no WebSocket", (await service.get("/chat/tea?name=Ada")).status, 426);
  matches(await (await fetch(`${service.url}/chat`)).text(), /<title>Chat/);
  matches(await (await fetch(`${service.url}/docs`)).text(), /openapi\.json/);
});

await test("OpenAPI", async () => {
  const { body } = await service.get("/openapi.json");
  const { paths } = /** @type {{ paths: Record<string, Record<string, any>> }} */ (body);
  equal("paths", Object.keys(paths).sort(), [
    "/chat/{room}",
    "/offers/{product}",
    "/orders",
    "/primes",
    "/report",
  ]);
  equal("methods", Object.keys(paths["/orders"] ?? {}).sort(), ["get", "post"]);
  for (const [path, methods] of Object.entries(paths))
    for (const { parameters = [], requestBody, responses } of Object.values(methods))
      equal(`400 of ${path}`, "400" in responses, parameters.length > 0 || requestBody !== undefined);
  const [parameter] = paths["/primes"]?.["get"].parameters ?? [];
  equal(
    "a parameter",
    [parameter.name, parameter.schema.minimum, parameter.schema.default],
    ["below", 2, 3_000_000],
  );
});

await test("bad input is answered with 400 and says what is wrong", async () => {
  const number = await service.get("/report?seconds=soon");
  equal("status", number.status, 400);
  matches(JSON.stringify(number.body), /expected number.*at seconds/);
  const order = await service.order('{"product":"tea","quantity":1.5}');
  equal("status", order.status, 400);
  matches(order.text, /expected int.*at quantity/);
  equal("no JSON", (await service.order("{")).status, 400);
  equal("no body", (await service.order("")).status, 400);
  equal("another type", (await service.order("tea", "text/plain")).status, 415);
  equal(
    "too large",
    (await service.order(JSON.stringify({ product: "x".repeat(70_000), quantity: 1 }))).status,
    413,
  );
});

await test("a route that computes holds up nobody, and ends with its client", async () => {
  const client = new AbortController();
  let isOver = false;
  const computing = fetch(`${service.url}/primes?below=100000000`, { signal: client.signal })
    .catch(() => "given up")
    .finally(() => (isOver = true));
  await eventually("it computes", async () => (await service.requests()) === 1);
  for (let count = 0; count < 20; count++) equal("orders", (await service.get("/orders")).status, 200);
  equal("over", isOver, false);
  client.abort();
  equal("computing", await computing, "given up");
  await eventually("it is over", async () => (await service.requests()) === 0, SOON);
  // The thread has stopped as well: there are no more threads than processors.
  await Promise.all(Array.from({ length: 20 }, () => service.get("/primes?below=1000")));
});

/** A member of a room: what was heard so far, one line for each message. */
class Visitor {
  /** @type {string[]} */
  heard = [];

  /** @param {Service} service @param {string} room @param {string} name */
  constructor(service, room, name) {
    this.socket = new WebSocket(`${service.url.replace("http", "ws")}/chat/${room}?name=${name}`);
    this.socket.on("message", (data) => {
      const { from, text } = JSON.parse(new TextDecoder().decode(/** @type {Buffer} */ (data)));
      this.heard.push(`${from}: ${text}`);
    });
    this.closed = new Promise((resolve) => this.socket.once("close", resolve));
  }

  /** @param {string} line */
  async hears(line) {
    await eventually(`hears ${line}; heard ${this.heard.join(", ")}`, () => this.heard.includes(line));
  }
}

await test("three talk, in the order of what was said; another room hears nothing", async () => {
  const ada = new Visitor(service, "tea", "Ada");
  await ada.hears("Ada: has come");
  const bob = new Visitor(service, "tea", "Bob");
  await ada.hears("Bob: has come");
  const eve = new Visitor(service, "tea", "Eve");
  const far = new Visitor(service, "coffee", "Far");
  await Promise.all([ada.hears("Eve: has come"), bob.hears("Eve: has come"), far.hears("Far: has come")]);
  for (let number = 0; number < 50; number++) ada.socket.send(String(number));
  bob.socket.send("hello");
  for (const visitor of [ada, bob, eve]) {
    await visitor.hears("Ada: 49");
    await visitor.hears("Bob: hello");
    const numbers = visitor.heard.filter((line) => /^Ada: \d+$/.test(line));
    equal(
      "in order",
      numbers,
      Array.from({ length: 50 }, (_, number) => `Ada: ${String(number)}`),
    );
  }
  eve.socket.terminate();
  await ada.hears("Eve: has left");
  bob.socket.close();
  await ada.hears("Bob: has left");
  equal("the other room", far.heard, ["Far: has come"]);
  ada.socket.close();
  far.socket.close();
  await Promise.all([ada.closed, bob.closed, eve.closed, far.closed]);
});

await test("who does not read is sent away, and holds up nobody", async () => {
  const ada = new Visitor(service, "tea", "Ada");
  const deaf = new Visitor(service, "tea", "Deaf");
  await ada.hears("Deaf: has come");
  deaf.socket.pause();
  const noise = "x".repeat(15_000);
  for (let count = 1; !ada.heard.includes("Deaf: has left"); count++) {
    ada.socket.send(`${String(count)} ${noise}`);
    await ada.hears(`Ada: ${String(count)} ${noise}`);
  }
  deaf.socket.terminate();
  ada.socket.close();
  await ada.closed;
});

await test("SIGTERM: members are told, the process ends by the signal", async () => {
  const ada = new Visitor(service, "tea", "Ada");
  await ada.hears("Ada: has come");
  service.child.kill("SIGTERM");
  equal("code", await ada.closed, 1001);
  equal("end", await service.ended, [null, "SIGTERM"]);
  equal("errors", withoutWarnings(service.errors), "");
});

const patient = await Service.start({ DATABASE_URL, SHOPS_URL });

/** @param {Service} service */
async function untilUnderWay(service) {
  await eventually(
    "the query and the request have begun",
    async () => held.size > 0 && (await queries()) > 0,
  );
  await eventually("it is the only request", async () => (await service.requests()) === 1);
}

/** @param {Service} service */
async function untilGone(service) {
  await eventually("the query is gone", async () => (await queries()) === 0, SOON);
  await eventually("the request is gone", () => held.size === 0, SOON);
  await eventually("the handler is gone", async () => (await service.requests()) === 0, SOON);
}

await test("curl --max-time 1: handler, query and request to the other server are gone", async () => {
  // Opens connections and loads what is loaded at the first use: a second is short.
  equal("report", (await patient.get("/report?seconds=0")).status, 200);
  const [file = "", ...args] = await clientOf(`${patient.url}/report?seconds=60`);
  const client = spawn(file, args, { stdio: "ignore" });
  const left = once(client, "close");
  await untilUnderWay(patient);
  await left;
  await untilGone(patient);
  await eventually("the log", () => /^GET \/report 499 \d+\.\d\d s$/m.test(patient.output), SOON);
});

/** curl, or what does the same where there is none. @param {string} url */
async function clientOf(url) {
  const curl = spawn("curl", ["--version"], { stdio: "ignore" });
  const hasCurl = await new Promise((resolve) => {
    curl.once("error", () => resolve(false));
    curl.once("close", (code) => resolve(code === 0));
  });
  if (hasCurl === true) return ["curl", "--silent", "--max-time", "1", url];
  const program = `
    const { hostname, port, pathname, search } = new URL(process.argv[1]);
    const socket = require("node:net").connect(port, hostname, () => {
      socket.write("GET " + pathname + search + " HTTP/1.1\\r\\nhost: " + hostname + "\\r\\n\\r\\n");
    });
    setTimeout(() => process.exit(28), 1000);`;
  return [process.execPath, "--eval", program, url];
}

await test("the deadline: 504, and all is gone", async () => {
  const impatient = await Service.start({ DATABASE_URL, SHOPS_URL, DEADLINE: "2" });
  // Loads what is loaded at the first use, however long that takes: the deadline is for what comes then.
  await impatient.get("/report?seconds=0");
  const late = impatient.get("/report?seconds=60");
  await untilUnderWay(impatient);
  equal("answer", await late, { status: 504, body: { error: "the request took too long" } });
  await untilGone(impatient);
  impatient.child.kill("SIGTERM");
  equal("end", await impatient.ended, [null, "SIGTERM"]);
});

await test("the other server fails: 502", async () => {
  const report = patient.get("/report?seconds=0.01");
  await eventually("it is asked", () => held.size > 0);
  for (const response of held) response.destroy();
  equal("answer", await report, { status: 502, body: { error: "the shops cannot be reached" } });
  patient.child.kill("SIGTERM");
  equal("end", await patient.ended, [null, "SIGTERM"]);
});

await test("SIGTERM with 100 requests under way: what ends in time is answered, the rest is cancelled", async () => {
  const loaded = await Service.start({ DATABASE_URL, SHOPS_URL, SHUTDOWN: "2" });
  const short = Array.from({ length: 80 }, () => loaded.get("/report?seconds=0.01"));
  await eventually("80 wait for the other server", () => held.size === 80);
  const long = Array.from({ length: 20 }, () => loaded.get("/report?seconds=600"));
  await eventually("100 requests", async () => (await loaded.requests()) === 100);
  await eventually("a query on each connection", async () => (await queries()) === 10);

  const begun = performance.now();
  loaded.child.kill("SIGTERM");
  await eventually("it accepts no more", () => loaded.refuses());
  for (const response of held) answer(response);
  const report = { status: 200, body: { orders: 1, items: 2, rate: 2 } };
  for (const got of await Promise.all(short)) equal("short", got, report);
  equal("the long ones go on", await queries(), 10);

  const refused = { status: 503, body: { error: "the server is being closed" } };
  for (const got of await Promise.all(long)) equal("long", got, refused);
  const seconds = (performance.now() - begun) / 1000;
  if (seconds < 2 || seconds > 5) throw new Error(`they were cancelled after ${String(seconds)} s, not 2`);
  equal("queries", await queries(), 0);
  equal("end", await loaded.ended, [null, "SIGTERM"]);
});

await test("what is wrong at the start is said, with what to do", async () => {
  /** @type {[NodeJS.ProcessEnv, RegExp][]} */
  const wrong = [
    [{ DATABASE_URL, PORT: "http" }, /expected number.*\n.*at PORT/],
    [{ DATABASE_URL: "localhost" }, /expected postgres:\/\/.*\n.*at DATABASE_URL/],
    [
      { DATABASE_URL: "postgres://postgres@127.0.0.1:1/test" },
      /127\.0\.0\.1:1.*\nCorrect DATABASE_URL, or leave it out/,
    ],
    [{ DATABASE_URL, PORT: String(otherPort) }, /EADDRINUSE.*\n.*set PORT/],
  ];
  for (const [settings, message] of wrong) {
    const service = new Service(settings);
    equal(`end of ${JSON.stringify(settings)}`, await service.ended, [1, null]);
    matches(service.errors, message);
    if (/^ {4}at /m.test(service.errors)) throw new Error(`a stack is no advice: ${service.errors}`);
  }
});

await test("`npm run service` starts a PostgreSQL, which ends with it: by Ctrl-C, and when it is killed", async () => {
  for (const kill of /** @type {const} */ (["SIGINT", "SIGKILL"])) {
    const TMPDIR = await mkdtemp(join(tmpdir(), "corio-service-test-"));
    await chmod(TMPDIR, 0o755);
    const service = await Service.start({ TMPDIR }, ["npm", "run", "service"]);
    equal("the folder of PostgreSQL", (await databases(TMPDIR)).length, 1);
    equal("orders", await service.get("/orders"), { status: 200, body: [] });
    const { body } = await service.get("/report?seconds=0");
    equal("report", body, { orders: 0, items: 0, rate: 1.25 });
    // As a terminal does it: npm, its shell and the service get it. PostgreSQL is in a group of its own.
    process.kill(-service.pid, kill);
    const [code, signal] = await service.ended;
    if (signal !== kill && code !== 130) throw new Error(`it ended with ${String(code)}, ${String(signal)}`);
    await eventually("PostgreSQL has ended", async () => (await databases(TMPDIR)).length === 0);
    await rm(TMPDIR, { recursive: true });
  }
});

/** The folders that are removed when their PostgreSQL has ended. @param {string} folder */
async function databases(folder) {
  return (await readdir(folder)).filter((name) => name.startsWith("corio-service-"));
}

await test("`npm run service:proof` shows it", async () => {
  const proof = new Service({ DATABASE_URL }, ["npm", "run", "service:proof"]);
  const [code] = await proof.ended;
  equal(`exit code, with ${proof.output}${proof.errors}`, code, 0);
  const sections = proof.output.split("\n── ").slice(1);
  equal("sections", sections.length, 3);
  equal("errors", withoutWarnings(proof.errors), "");
  for (const section of sections) {
    matches(section, /PostgreSQL +process \d+ runs pg_sleep/);
    matches(section, /PostgreSQL +process \d+ runs it no more/);
    matches(section, /other server +GET \/rate has come/);
    matches(section, /other server +GET \/rate is gone/);
    matches(section, /all gone \d+ ms after/);
  }
});

for (const service of services) service.child.kill("SIGKILL");
await database.end();
ownPostgres.stdin.end();
await once(ownPostgres, "close");
other.close();
other.closeAllConnections();
console.log(`${String(passed)} passed, ${String(failed)} failed`);
process.exitCode = failed > 0 ? 1 : 0;
