// What a user's first program needs; scripts/packaging.mjs compiles and runs it against the packed package.
import { run } from "corio";
import { connect, ConnectError, createPool } from "@corio/mysql";

interface Person {
  name: string;
}

const pool = createPool({ host: "127.0.0.1", port: 1, maxSize: 2 });

await run(async () => {
  try {
    const people: Person[] = await pool.fetch<Person>("SELECT name FROM people WHERE id = ?", [1]);
    console.log(people);
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    console.log(error.code);
  }
  await pool.close();
});

console.log(typeof connect);
