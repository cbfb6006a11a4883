/** Answers that the gateway gives by itself. */
import { WorkloadError } from '../workloads/driver.ts';
import type { Call } from './call.ts';
import type { Field } from './headers.ts';

/** A short answer with a word for programs and a sentence for people. */
export interface Refusal {
  readonly status: number;
  readonly error: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const soon = { 'retry-after': '1' };

export const refusals = {
  noDeployment: { status: 404, error: 'unknown_deployment', message: 'no deployment answers at this address' },
  unknownHost: { status: 421, error: 'unknown_host', message: 'this host name is not served here' },
  noRoute: { status: 404, error: 'not_found', message: 'the deployment has no endpoint at this path' },
  notRunning: {
    status: 503,
    error: 'not_running',
    message: 'what stands behind this endpoint is not running here now',
    headers: { 'retry-after': '5' },
  },
  noRoom: { status: 503, error: 'busy', message: 'the gateway holds too many request bodies now', headers: soon },
  noRoomHere: {
    status: 429,
    error: 'busy',
    message: 'the gateway holds too many request bodies for this deployment now',
    headers: soon,
  },
  gatewayBusy: { status: 503, error: 'busy', message: 'the gateway serves as many requests as it can', headers: soon },
  deploymentBusy: {
    status: 429,
    error: 'busy',
    message: 'the deployment has as many requests under way as it may',
    headers: soon,
  },
  tooManyWebsockets: {
    status: 429,
    error: 'busy',
    message: 'the deployment has as many websockets as it may',
    headers: soon,
  },
  draining: { status: 503, error: 'draining', message: 'the gateway is being shut down', headers: soon },
  notHttp: { status: 400, error: 'bad_request', message: 'this is not a request as HTTP has them' },
  tooSlow: { status: 408, error: 'too_slow', message: 'the request came too slowly' },
  tooManyFields: { status: 431, error: 'headers_too_large', message: 'the request has too many headers' },
  unreachable: { status: 502, error: 'unreachable', message: 'no instance of the workload could be reached' },
  brokenAnswer: { status: 502, error: 'bad_answer', message: 'the workload did not answer as HTTP asks' },
  noAnswer: { status: 504, error: 'no_answer', message: 'the workload did not answer in time' },
  noWebsocket: { status: 400, error: 'no_websocket', message: 'websockets are not served at this endpoint' },
} satisfies Record<string, Refusal>;

export function methodNotAllowed(allowed: readonly string[]): Refusal {
  const allow = allowed.join(', ');
  return { status: 405, error: 'method_not_allowed', message: `allowed here: ${allow}`, headers: { allow } };
}

export function bodyTooLarge(limit: number): Refusal {
  return { status: 413, error: 'body_too_large', message: `a request body may have ${limit} bytes` };
}

export function badRequest(message: string): Refusal {
  return { status: 400, error: 'bad_request', message };
}

export function badAnswer(why: string): Refusal {
  return { status: 502, error: 'bad_answer', message: `the function did not answer as CGI asks: ${why}` };
}

/** What the caller is told when a call did not run to its end. */
export function refusalOf(error: unknown): Refusal {
  const reason = error instanceof WorkloadError ? error.reason : 'failed';
  const message = error instanceof WorkloadError ? error.message : 'the call failed';
  switch (reason) {
    case 'busy':
      return { ...refusals.deploymentBusy, message: 'all instances of the function are busy' };
    case 'stopped':
      return refusals.notRunning;
    case 'time_limit':
      return { status: 504, error: 'time_limit', message: `the function ${message}` };
    case 'memory':
      return { status: 502, error: 'memory_limit', message: `the function ran ${message}` };
    case 'trap':
      return { status: 502, error: 'trap', message: `the function trapped: ${message}` };
    default:
      return { status: 502, error: 'failed', message: 'the function could not be run' };
  }
}

/**
 * Sends a refusal; where an answer has begun already, that one is cut. The connection ends with it where `call.last` says so.
 * @returns bytes of the body that were sent
 */
export function refuse(call: Call, refusal: Refusal): number {
  if (call.closed) return 0;
  if (call.status !== 0) {
    call.cut();
    return 0;
  }
  const body = bodyOf(refusal);
  const fields: Field[] = [
    ['content-type', 'application/json'],
    ['content-length', String(body.length)],
    ...Object.entries(refusal.headers ?? {}),
  ];
  call.refusal = refusal.error;
  call.begin(refusal.status, fields);
  const sent = call.method === 'HEAD' ? 0 : body.length;
  if (sent > 0) call.output.write(body);
  call.end();
  return sent;
}

/** A refusal as HTTP/1.1 sends it, for connections on which no request could be read. */
export function refusalBytes(refusal: Refusal, reason: string): Buffer {
  const body = bodyOf(refusal);
  const head = [
    `HTTP/1.1 ${refusal.status} ${reason}`,
    'content-type: application/json',
    `content-length: ${body.length}`,
    ...Object.entries(refusal.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    'connection: close',
  ];
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]);
}

function bodyOf({ error, message }: Refusal): Buffer {
  return Buffer.from(`${JSON.stringify({ error, message })}\n`);
}
