// What can be set, by environment variables. A wrong value ends the program with a message that says which.
import { z } from "@hono/zod-openapi";

const Settings = z.object({
  /** Who may connect: 0.0.0.0 for all. */
  HOST: z.string().default("127.0.0.1"),
  /** 0 takes any free port. */
  PORT: z.coerce.number().int().min(0).max(65_535).default(8080),
  /** Without it a PostgreSQL is started, which ends with the service. */
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: "expected postgres://user@host/database" })
    .optional(),
  /** Without it the service has shops of its own. */
  SHOPS_URL: z.url({ protocol: /^https?$/, error: "expected http://host" }).optional(),
  /** How many seconds a request may take. */
  DEADLINE: z.coerce.number().positive().default(30),
  /** How many seconds requests may go on after SIGTERM or Ctrl-C. */
  SHUTDOWN: z.coerce.number().min(0).default(5),
});

export type Settings = z.infer<typeof Settings>;

export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  const result = Settings.safeParse(environment);
  if (result.success) return result.data;
  throw new SettingsError(`wrong environment variables:\n${z.prettifyError(result.error)}`);
}

export class SettingsError extends Error {}
