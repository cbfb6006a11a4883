/** Looks over the network, and at its ports. */
import { createHash, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { createServer } from 'node:net';
import { connect } from 'node:tls';
import type { NodeLink, PortState } from './probes.ts';

const answerMs = 10_000;
/** Codes of a port that somebody else listens at. */
const taken = 'EADDRINUSE';

export async function portState(address: string, port: number): Promise<PortState> {
  const { promise, resolve } = Promise.withResolvers<PortState>();
  const server = createServer();
  server.once('error', (error: NodeJS.ErrnoException) =>
    resolve(error.code === taken ? 'taken' : { refused: error.message }),
  );
  server.listen({ host: address, port, exclusive: true }, () => server.close(() => resolve('free')));
  return promise;
}

/** @throws Error where no TLS server answers */
export async function tlsFingerprint(uri: string): Promise<string> {
  const { hostname, port } = new URL(uri);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  // Whose certificate it is is what is asked: it is compared with ours by its caller.
  const socket = connect({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 443),
    rejectUnauthorized: false,
    timeout: answerMs,
  });
  socket.once('secureConnect', () => {
    resolve(createHash('sha256').update(socket.getPeerCertificate().raw).digest('hex'));
    socket.destroy();
  });
  socket.once('timeout', () => socket.destroy(new Error(`nothing within ${answerMs / 1000} s`)));
  socket.once('error', reject);
  return promise;
}

/** @throws Error where no HTTP server answers */
export async function httpStatus(uri: string): Promise<number> {
  return (await head(uri)).status;
}

interface Head {
  readonly status: number;
  readonly date: string | undefined;
}

async function head(uri: string, method = 'GET'): Promise<Head> {
  const { promise, resolve, reject } = Promise.withResolvers<Head>();
  const request = uri.startsWith('https:') ? httpsRequest : httpRequest;
  const asked = request(uri, { method, agent: false, timeout: answerMs, rejectUnauthorized: false }, (response) => {
    resolve({ status: response.statusCode ?? 0, date: response.headers.date });
    response.destroy();
  });
  asked.on('timeout', () => asked.destroy(new Error(`nothing within ${answerMs / 1000} s`)));
  asked.on('error', reject);
  asked.end();
  return promise;
}

/** HTTP dates have whole seconds: the time within them is not known, nor how long the answer was on its way. */
const secondMs = 1_000;

/** The clock behind an RPC address; undefined where it tells no time. */
export async function clockOf(rpcUrl: string, now: () => number): Promise<NodeLink['clock']> {
  const asked = now();
  const { date } = await head(`${rpcUrl.replace(/^ws/, 'http').replace(/\/(websocket)?$/, '')}/health`).catch(() => ({
    date: undefined,
  }));
  const told = Date.parse(date ?? '');
  if (Number.isNaN(told)) return undefined;
  const onTheWayMs = now() - asked;
  // As of now: half of the way back has passed since, and half of the second on the average.
  return { ms: told + secondMs / 2 + onTheWayMs / 2, withinMs: secondMs / 2 + onTheWayMs / 2 };
}

/** End of the first certificate of a PEM file, milliseconds since 1970. @throws Error where there is none */
export async function certificateEnd(file: string): Promise<number> {
  return new X509Certificate(await readFile(file)).validToDate.getTime();
}
