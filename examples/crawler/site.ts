// The site that is crawled: thousands of generated pages behind a real HTTP server on this machine. Its links and its
// faults follow from a seed, so that every crawl of it must come to the same numbers.
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface SiteOptions {
  readonly pages: number;
  readonly seed: number;
}

/** What is wrong with a page: most faults are gone at the second request. */
type Fault = "slow" | "error" | "reset" | "cut off";

interface Page {
  readonly html: string;
  readonly delay: number;
  readonly fault: Fault | undefined;
  /** Requests that meet the fault; the next one gets the page. */
  readonly faultyRequests: number;
  requests: number;
}

/** How many pages of three thousand have each fault: [at the first request only, at every request]. */
const FAULTS: readonly (readonly [Fault, passing: number, lasting: number])[] = [
  ["slow", 40, 20],
  ["error", 50, 25],
  ["reset", 10, 3],
  ["cut off", 5, 2],
];
const LINKS_TO_NOWHERE = 12;
/** Longer than any client waits. */
const SLOW_MILLISECONDS = 30_000;

export class Site {
  readonly #pages: Map<string, Page>;
  readonly #server = createServer((request, response) => {
    this.#answer(request, response);
  });

  private constructor(options: SiteOptions) {
    this.#pages = generatePages(options);
    // A connection that closes while a client is about to use it would be a fault nobody has planned.
    this.#server.keepAliveTimeout = 60_000;
  }

  /** Starts the server on a port of the system's choice. */
  static async start(options: SiteOptions): Promise<Site> {
    const site = new Site(options);
    await new Promise<void>((resolve, reject) => {
      site.#server.once("error", reject);
      site.#server.listen(0, "127.0.0.1", resolve);
    });
    return site;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stops listening and drops every connection; resolves when the last one is gone. */
  close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => {
        resolve();
      });
    });
    this.#server.closeAllConnections();
    return closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const page = this.#pages.get(request.url ?? "");
    if (page === undefined) {
      send(response, 404, "<h1>There is no such page</h1>");
      return;
    }
    page.requests++;
    const fault = page.requests <= page.faultyRequests ? page.fault : undefined;
    const timer = setTimeout(
      () => {
        if (fault === "error") send(response, 500, "<h1>Something went wrong</h1>");
        else if (fault === "reset") request.socket.resetAndDestroy();
        else if (fault === "cut off") sendHalf(response, page.html);
        else send(response, 200, page.html);
      },
      fault === "slow" ? SLOW_MILLISECONDS : page.delay,
    );
    // The client may lose patience, or the server be closed.
    response.once("close", () => {
      clearTimeout(timer);
    });
  }
}

function send(response: ServerResponse, status: number, html: string): void {
  response.writeHead(status, { "content-type": "text/html", "content-length": Buffer.byteLength(html) });
  response.end(html);
}

function sendHalf(response: ServerResponse, html: string): void {
  response.writeHead(200, { "content-type": "text/html", "content-length": Buffer.byteLength(html) });
  response.write(html.slice(0, html.length / 2), () => response.destroy());
}

function generatePages({ pages: count, seed }: SiteOptions): Map<string, Page> {
  const random = randomNumbers(seed);
  const integer = (limit: number): number => Math.floor(random() * limit);
  const faults = drawFaults(count, integer);

  const links = Array.from({ length: count }, () => new Set<string>());
  const link = (from: number, to: string): void => {
    links[from]?.add(to);
  };
  for (let number = 1; number < count; number++) {
    // A tree, so that every page can be reached; then across, so that most can be reached even where the tree is broken.
    link(Math.floor((number - 1) / 8), path(number));
    for (let across = 0; across < 4; across++) link(number, path(integer(count)));
  }
  for (let missing = 0; missing < LINKS_TO_NOWHERE; missing++) link(integer(count), `/missing/${missing}`);

  const pages = new Map<string, Page>();
  for (let number = 0; number < count; number++) {
    const { fault, faultyRequests } = faults.get(number) ?? { fault: undefined, faultyRequests: 0 };
    pages.set(path(number), {
      html: render(number, [...(links[number] ?? [])], 5 + integer(60)),
      delay: 5 + integer(45),
      fault,
      faultyRequests,
      requests: 0,
    });
  }
  return pages;
}

function drawFaults(
  count: number,
  integer: (limit: number) => number,
): Map<number, Pick<Page, "fault" | "faultyRequests">> {
  const faults = new Map<number, Pick<Page, "fault" | "faultyRequests">>();
  const draw = (fault: Fault, faultyRequests: number, howMany: number): void => {
    for (let drawn = 0; drawn < howMany;) {
      // Not the start page: without it there is no crawl.
      const number = 1 + integer(count - 1);
      if (faults.has(number)) continue;
      faults.set(number, { fault, faultyRequests });
      drawn++;
    }
  };
  for (const [fault, passing, lasting] of FAULTS) {
    draw(fault, 1, Math.round((passing * count) / 3000));
    draw(fault, Infinity, Math.round((lasting * count) / 3000));
  }
  return faults;
}

function path(number: number): string {
  return number === 0 ? "/" : `/page/${number}`;
}

const SENTENCE = "Nobody waits here for anything that is ready. ";

function render(number: number, links: readonly string[], sentences: number): string {
  const items = links.map((target) => `<li><a href="${target}">${target}</a></li>`);
  return `<!doctype html>
<title>Page ${number}</title>
<p>${SENTENCE.repeat(sentences)}</p>
<ul>
${items.join("\n")}
</ul>
`;
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
