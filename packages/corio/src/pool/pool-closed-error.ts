import { CorioError } from "../errors.ts";

/** The pool is closed, or was closed while the task waited for a resource. */
export class PoolClosedError extends CorioError {
  static override readonly brand: string = "PoolClosedError";
  readonly code = "CORIO_POOL_CLOSED" as const;
}
