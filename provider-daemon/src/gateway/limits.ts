/** Every limit and time-out of the gateway, in one place. Operators are told of them in docs/PROVIDER.md. */

const mebibyte = 1024 * 1024;

export interface GatewayLimits {
  // What clients send
  /** Of request line and headers together, in bytes; more is answered 431. */
  readonly headerBytes: number;
  /** Header fields of a request; more is answered 431. */
  readonly headerFields: number;
  /** Time for the first request of a connection, and for all of a request's headers from their first byte, in ms; then 408. */
  readonly headersMs: number;
  /** Time for a TLS handshake, in ms. */
  readonly handshakeMs: number;
  /** A body that is waited for must bring `bodyIntervalBytes` in each such interval, in ms; else 408. */
  readonly bodyIntervalMs: number;
  readonly bodyIntervalBytes: number;
  /** A client that takes nothing of an answer for so long is cut off, in ms. */
  readonly stallMs: number;
  /** How long what remains of a refused body is read, so that the client sees the refusal, in ms. */
  readonly discardMs: number;

  // Connections
  /** An idle connection is kept so long, in ms. */
  readonly keepAliveMs: number;
  /** Connections in all. For one more, the one that has been idle the longest is closed; where none is idle, it is refused. */
  readonly connections: number;
  /** Connections of one client: an IPv4 address, or an IPv6 network of 64 bits. */
  readonly connectionsPerClient: number;
  /** Requests at the same time on one connection: streams of HTTP/2, pipelined ones of HTTP/1.1. */
  readonly callsPerConnection: number;

  // Work
  /** Body of a request to a function, in bytes; more is answered 413. To workloads bodies stream, of any length. */
  readonly bodyBytes: number;
  /** All gathered bodies together, in bytes; beyond it 503. */
  readonly bodyMemoryBytes: number;
  /** Gathered bodies of one deployment, in bytes; beyond it 429. */
  readonly bodyMemoryPerDeployment: number;
  /** Requests under way in all. Beyond it a deployment that has its share already gets 503. */
  readonly calls: number;
  /** Requests under way of one deployment. */
  readonly callsPerDeployment: number;
  /** Requests of one deployment that wait for one of those to end; one more gets 429. */
  readonly queuedPerDeployment: number;
  /** One that has waited so long gets 429, in ms. */
  readonly queueMs: number;
  /** Websockets of one deployment; one more gets 429. */
  readonly websocketsPerDeployment: number;
  /** A websocket on which nothing is sent either way for so long is closed with 1001, in ms. */
  readonly websocketIdleMs: number;

  // Workloads
  /** Time for a connection to an instance, in ms. */
  readonly connectMs: number;
  /** Instances that are tried for one request; then 502. */
  readonly tries: number;
  /** An instance that could not be reached is passed over so long, in ms. */
  readonly outMs: number;
  /** An instance must begin its answer within so long of the last byte of the request, in ms; then 504. */
  readonly answerMs: number;
  /** An answer in which nothing comes for so long is cut, in ms. */
  readonly answerIdleMs: number;
  /** An idle connection to an instance is kept so long, in ms: below the 5 s after which common servers close theirs. */
  readonly upstreamKeepAliveMs: number;

  // Going
  /** How long requests under way may go on when the gateway drains, in ms. */
  readonly drainMs: number;
}

export const defaultLimits: GatewayLimits = {
  headerBytes: 16 * 1024,
  headerFields: 256,
  headersMs: 15_000,
  handshakeMs: 10_000,
  bodyIntervalMs: 5_000,
  bodyIntervalBytes: 2_500,
  stallMs: 60_000,
  discardMs: 2_000,
  keepAliveMs: 65_000,
  connections: 16_384,
  connectionsPerClient: 2_048,
  callsPerConnection: 100,
  bodyBytes: 10 * mebibyte,
  bodyMemoryBytes: 256 * mebibyte,
  bodyMemoryPerDeployment: 64 * mebibyte,
  calls: 4_096,
  callsPerDeployment: 512,
  queuedPerDeployment: 128,
  queueMs: 40,
  websocketsPerDeployment: 1_024,
  websocketIdleMs: 600_000,
  connectMs: 3_000,
  tries: 3,
  outMs: 5_000,
  answerMs: 120_000,
  answerIdleMs: 600_000,
  upstreamKeepAliveMs: 4_000,
  drainMs: 30_000,
};

/** Early hints of one request that are passed on: nothing holds back who gives more, where the client takes none. */
export const maxHints = 16;

/** How often connections and requests are looked at, in ms: a time limit is held to within this. */
export const sweepMs = 1_000;
