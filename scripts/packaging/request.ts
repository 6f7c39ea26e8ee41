// What a user's first program needs; scripts/packaging.mjs compiles and runs it against the packed package.
import { RequestTasks } from "@corio/request";
import { sleep } from "corio";

const requests = new RequestTasks({ deadline: 5 });
const text: string = await requests.handle(async () => await sleep(0.001, "hello"));
console.log(text);
await requests.close();
