// The clients of databases beside the drivers that they are built on: each a program of its own, which prints.
import { spawn } from "node:child_process";
import { listens } from "../../scripts/lib/listens.mjs";
import { inRoot } from "../../scripts/lib/paths.mjs";

const DATABASES = [
  { name: "PostgreSQL", port: 5432, program: "postgres.mjs" },
  { name: "MySQL or MariaDB", port: 3306, program: "mysql.mjs" },
  { name: "Redis", port: 6379, program: "redis.mjs" },
];

/** @param {{ readonly quick: boolean }} options */
export async function measureDatabases({ quick }) {
  for (const { name, port, program } of DATABASES) {
    if (!(await listens(port))) {
      console.log(`\nnot measured, there is no server: ${name}`);
      continue;
    }
    console.log(`\n${name}`);
    const args = [inRoot(`bench/databases/${program}`), ...(quick ? ["--quick"] : [])];
    await new Promise((resolve) => spawn(process.execPath, args, { stdio: "inherit" }).once("exit", resolve));
  }
}
