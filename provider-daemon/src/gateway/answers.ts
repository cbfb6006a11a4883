/** Answers that the gateway gives by itself. */
import type { ServerResponse } from 'node:http';
import { WorkloadError } from '../workloads/driver.ts';

/** A short answer with a word for programs and a sentence for people. */
export interface Refusal {
  readonly status: number;
  readonly error: string;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const refusals = {
  noDeployment: { status: 404, error: 'unknown_deployment', message: 'no deployment answers at this address' },
  noRoute: { status: 404, error: 'not_found', message: 'the deployment has no endpoint at this path' },
  notRunning: {
    status: 503,
    error: 'not_running',
    message: 'the function behind this endpoint is not running here now',
    headers: { 'retry-after': '5' },
  },
  noRoom: {
    status: 503,
    error: 'busy',
    message: 'the gateway holds too many request bodies now',
    headers: { 'retry-after': '1' },
  },
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
      return { status: 503, error: 'busy', message: 'all instances are busy', headers: { 'retry-after': '1' } };
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

/** Sends a refusal; the number of its bytes. */
export function refuse(response: ServerResponse, refusal: Refusal, options: { close?: boolean } = {}): number {
  const body = Buffer.from(`${JSON.stringify({ error: refusal.error, message: refusal.message })}\n`);
  response.writeHead(refusal.status, {
    'content-type': 'application/json',
    'content-length': String(body.length),
    ...refusal.headers,
    ...(options.close === true ? { connection: 'close' } : {}),
  });
  if (options.close === true) response.write(body);
  else response.end(body);
  return response.req.method === 'HEAD' ? 0 : body.length;
}
