/**
 * Redis for corio: what redis-py is to asyncio. A cancelled BLPOP is ended on the server, and loses no element.
 *
 * @module @corio/redis
 */

// Connecting.
export { createClient, RedisClient } from "./client.ts";
export type { RedisClientOptions, RedisClientStatistics } from "./client.ts";
export { connect, Connection } from "./connection.ts";
export type { ConnectOptions, TlsOptions } from "./options.ts";

// Commands.
export { Commander } from "./commander.ts";
export type { ExecuteOptions } from "./commander.ts";
export type { CommandArguments, CommandName, CommandReply, Commands } from "./commands.ts";
export type { Batch, BatchBody } from "./batch.ts";
export type { RetryOptions, TransactionBody, TransactionOptions } from "./transaction.ts";
export type { Script, ScriptInput } from "./script.ts";
export type { HashEntry, ScanOptions, SortedSetMember } from "./scan.ts";

// Messages and streams.
export type { Gap } from "corio/pool";
export { Subscription } from "./subscription.ts";
export type { Message, SubscriptionEvent, SubscriptionOptions, SubscriptionTopics } from "./subscription.ts";
export type { ConsumeStreamOptions, ReadStreamOptions, StreamEntry, StreamJob } from "./stream.ts";

// Errors.
export {
  AuthenticationError,
  CommandError,
  ConnectError,
  ConnectionBusyError,
  ConnectionLostError,
  ConnectionReleasedError,
  DatabaseNotFoundError,
  PipelineError,
  RedisError,
  SessionCommandError,
  TlsError,
  TransactionOutcomeUnknownError,
  WatchedKeyChangedError,
} from "./errors.ts";
export type { RedisErrorCode } from "./errors.ts";
