// What a user's first program needs; scripts/packaging.mjs compiles and runs it against the packed package.
import { corio, onError } from "@corio/hono";
import { sleep } from "corio";
import { Hono } from "hono";

const requests = corio({ deadline: 5 });
const app = new Hono();
app.use(requests);
app.onError(onError());
app.get("/:name", async (c) => c.text(await sleep(0.001, `hello ${c.req.param("name")}`)));

const response = await app.request("/you");
console.log(response.status, await response.text());
await requests.close();
