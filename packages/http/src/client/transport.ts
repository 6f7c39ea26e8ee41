/** A request as it goes over the wire: no cookies, no redirects, nothing to be decided any more. */
export interface WireRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Uint8Array | string | AsyncIterable<Uint8Array> | null;
  /** Ends it at any stage: then `send`, or the read that is under way, rejects. */
  readonly signal: AbortSignal;
  /** It has a connection. */
  readonly onConnected: () => void;
}

/** A response whose body is still to be read. */
export interface WireResponse {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  /** The next piece; null at the end. One at a time. */
  read(): PromiseLike<Uint8Array | null>;
  /** The next piece if it is here, and null at the end, without a wait; undefined when `read` has to be asked. */
  take?(): Uint8Array | null | undefined;
  /** Gives the rest up. The connection is closed, or goes back if the body has been received to its end. */
  abort(): void;
}

/** What moves requests: undici, or the host's `fetch`. */
export interface Transport {
  send(request: WireRequest): Promise<WireResponse>;
  /** Closes all connections. */
  close(): Promise<void>;
}

/** What a transport is made with. Durations are seconds. */
export interface TransportOptions {
  readonly maxConnectionsPerHost: number | null;
  readonly keepAliveTimeout: number;
  readonly proxy: string | null;
  readonly http2: boolean;
  readonly tls: TlsOptions;
}

/** How servers are trusted. */
export interface TlsOptions {
  /** Certificate authorities, in PEM, in place of the system's. */
  readonly ca?: string | readonly string[] | undefined;
  /** The client's certificate, in PEM. */
  readonly cert?: string | undefined;
  /** The key of the client's certificate, in PEM. */
  readonly key?: string | undefined;
  /** False trusts whoever answers. Default true. */
  readonly rejectUnauthorized?: boolean | undefined;
}
