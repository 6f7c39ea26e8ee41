/**
 * A fair pool of connections or other resources, and the rule by which a request to a server is cancelled: what clients
 * of databases are made of.
 *
 * @module corio/pool
 */

export { Pool } from "./pool/pool.ts";
export type { PoolAcquireOptions, PoolCloseOptions, PoolOptions, PoolStatistics } from "./pool/pool.ts";
export { Lease } from "./pool/lease.ts";
export { PoolClosedError } from "./pool/pool-closed-error.ts";
export { callBlock } from "./library/body-call.ts";
export { toSeconds } from "./library/duration.ts";
export { keepOrClose } from "./library/keep-or-close.ts";
export { exchange } from "./pool/exchange.ts";
export type { ExchangeOptions } from "./pool/exchange.ts";
export { Flight } from "./pool/flight.ts";
export type { FlightListener } from "./pool/flight.ts";
export { Feed } from "./pool/feed.ts";
export type { FeedConnection, FeedOptions, FeedSource, Gap } from "./pool/feed.ts";
export { withRetries } from "./pool/retry.ts";
export type { RetryPlan } from "./pool/retry.ts";
