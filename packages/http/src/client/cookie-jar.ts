interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly domain: string;
  /** Only for this very host. */
  readonly isHostOnly: boolean;
  readonly path: string;
  readonly isSecure: boolean;
  /** Milliseconds since 1970; null: until the jar goes. */
  readonly expires: number | null;
}

/** How much of a name and a value together is taken. */
const MAX_LENGTH = 4096;
/** Longer attributes are ignored. */
const MAX_ATTRIBUTE_LENGTH = 1024;
/** How many there may be: more take the place of the oldest. */
const MAX_PER_DOMAIN = 180;
const MAX_COOKIES = 3000;

/**
 * The cookies of a session, by the rules of RFC 6265. Servers that are named by an IP address get theirs, too. A cookie
 * for a whole top-level domain is refused; the list of public suffixes such as `co.uk` is not known.
 * It keeps 180 cookies of a domain, 3,000 in all, none longer than 4,096 characters.
 *
 * aiohttp: `CookieJar`.
 */
export class CookieJar {
  readonly #cookies = new Map<string, Cookie>();

  /** How many there are, those that have expired included. */
  get size(): number {
    return this.#cookies.size;
  }

  /** Takes what a server at `url` has sent in a Set-Cookie header; ignores what is not allowed. */
  set(url: URL, header: string): void {
    const [pair = "", ...attributes] = header.split(";");
    const equals = pair.indexOf("=");
    const name = pair.slice(0, equals).trim();
    if (equals < 0 || name === "" || pair.length > MAX_LENGTH) return;
    const found = new Map<string, string>();
    for (const attribute of attributes) {
      const [key = "", ...rest] = attribute.split("=");
      if (attribute.length <= MAX_ATTRIBUTE_LENGTH)
        found.set(key.trim().toLowerCase(), rest.join("=").trim());
    }
    const asked = (found.get("domain") ?? "").replace(/^\./, "").toLowerCase();
    const host = url.hostname.toLowerCase();
    if (asked !== "" && asked !== host && !isBelow(host, asked)) return;
    if (found.has("secure") && url.protocol !== "https:") return;
    const path = found.get("path") ?? "";
    // Names that promise something, so that nobody else can have set them.
    if (/^__(secure|host)-/i.test(name) && !found.has("secure")) return;
    if (/^__host-/i.test(name) && (asked !== "" || path !== "/")) return;
    const cookie: Cookie = {
      name,
      value: pair.slice(equals + 1).trim(),
      domain: asked === "" ? host : asked,
      isHostOnly: asked === "" || isAddress(host),
      path: path.startsWith("/") ? path : defaultPath(url),
      isSecure: found.has("secure"),
      expires: expiryOf(found),
    };
    const key = `${cookie.domain}\n${cookie.path}\n${name}`;
    // What came over a connection that everybody can write on does not take the place of what did not.
    if (url.protocol !== "https:" && this.#hasSecure(cookie)) return;
    if (cookie.expires !== null && cookie.expires <= Date.now()) this.#cookies.delete(key);
    else {
      this.#cookies.set(key, cookie);
      this.#makeRoom(cookie.domain);
    }
  }

  /** A server may send a new one with each answer. */
  #makeRoom(domain: string): void {
    const now = Date.now();
    const ofDomain: string[] = [];
    for (const [key, cookie] of this.#cookies) {
      if (cookie.expires !== null && cookie.expires <= now) this.#cookies.delete(key);
      else if (cookie.domain === domain) ofDomain.push(key);
    }
    const [oldestOfDomain] = ofDomain;
    if (ofDomain.length > MAX_PER_DOMAIN && oldestOfDomain !== undefined)
      this.#cookies.delete(oldestOfDomain);
    const [oldest] = this.#cookies.keys();
    if (this.#cookies.size > MAX_COOKIES && oldest !== undefined) this.#cookies.delete(oldest);
  }

  #hasSecure({ name, domain, path }: Cookie): boolean {
    for (const other of this.#cookies.values()) {
      if (!other.isSecure || other.name !== name || !isPathBelow(path, other.path)) continue;
      if (other.domain === domain || isBelow(other.domain, domain) || isBelow(domain, other.domain))
        return true;
    }
    return false;
  }

  /** The Cookie header of a request to `url`; null when there is nothing to send. */
  headerFor(url: URL): string | null {
    const host = url.hostname.toLowerCase();
    const matching = [...this.#cookies.values()].filter(
      (cookie) =>
        (cookie.domain === host || (!cookie.isHostOnly && isBelow(host, cookie.domain))) &&
        isPathBelow(url.pathname, cookie.path) &&
        (!cookie.isSecure || url.protocol === "https:") &&
        (cookie.expires === null || cookie.expires > Date.now()),
    );
    if (matching.length === 0) return null;
    // The more special first.
    matching.sort((a, b) => b.path.length - a.path.length);
    return matching.map(({ name, value }) => `${name}=${value}`).join("; ");
  }

  /** Forgets all of them. */
  clear(): void {
    this.#cookies.clear();
  }
}

function isBelow(host: string, domain: string): boolean {
  return domain.includes(".") && !isAddress(host) && host.endsWith(`.${domain}`);
}

function isAddress(host: string): boolean {
  return host.startsWith("[") || /^\d+(\.\d+){3}$/.test(host);
}

function isPathBelow(path: string, folder: string): boolean {
  return (
    path === folder || (path.startsWith(folder) && (folder.endsWith("/") || path[folder.length] === "/"))
  );
}

function defaultPath(url: URL): string {
  const slash = url.pathname.lastIndexOf("/");
  return slash <= 0 ? "/" : url.pathname.slice(0, slash);
}

function expiryOf(attributes: ReadonlyMap<string, string>): number | null {
  const maxAge = attributes.get("max-age");
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return Date.now() + Number(maxAge) * 1000;
  const expires = attributes.get("expires") ?? "";
  // The zone is always UTC, also where a server leaves it out.
  const date = Date.parse(/(?:[a-z]|[+-]\d{4})$/i.test(expires) ? expires : `${expires} GMT`);
  return Number.isNaN(date) ? null : date;
}
