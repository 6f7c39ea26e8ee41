// What a user's first program needs; scripts/packaging.mjs compiles and runs it against the packed package.
import { run } from "corio";
import { connect, ConnectError, createClient } from "@corio/redis";

const redis = createClient({ host: "127.0.0.1", port: 1, maxSize: 2 });

await run(async () => {
  try {
    const name: string | null = await redis.get("name");
    const [length, all]: [number, string[]] = await redis.pipeline((batch) =>
      batch.lLen("list").lRange("list", 0, -1),
    );
    console.log(name, length, all);
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    console.log(error.code);
  }
  await redis.close();
});

console.log(typeof connect);
