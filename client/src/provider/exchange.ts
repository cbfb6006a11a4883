/** One HTTP request to a provider, over a connection of its own whose certificate is checked before anything is sent. */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import { type IncomingMessage, request } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { toBase64 } from '@mu/lib/bytes';
import { type SignedDelegation, signRequest } from '../tenant/request.ts';
import { ProviderConnectionError, ProviderRefusal } from './errors.ts';
import type { ProviderAddress } from './provider-address.ts';
import { connectProvider } from './provider-tls.ts';

/** What a tenant signs requests with. */
export interface TenantAccess {
  /** The P-256 key that the account has delegated to. */
  readonly key: KeyObject;
  readonly delegation: SignedDelegation;
  /** Milliseconds since 1970; `Date.now` where it is left out. */
  readonly now?: () => number;
  /** Cryptographically strong bytes; `node:crypto`'s where it is left out. */
  readonly random?: (length: number) => Uint8Array;
}

export interface Exchange {
  readonly method: 'GET' | 'PUT';
  /** Path and query. */
  readonly path: string;
  /** Signs the request; absent: nobody in particular asks. */
  readonly access?: TenantAccess;
  readonly body?: readonly Uint8Array[];
  /** How long the answer may take to begin; and, where it is read whole, from then to its end. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

const defaultTimeoutMs = 30_000;
/** An answer that is read whole has at most so many bytes. */
const maxAnswerBytes = 1024 * 1024;

/** The answer, once it has begun with success. @throws ProviderRefusal or ProviderConnectionError */
export async function exchange(at: ProviderAddress, asked: Exchange): Promise<IncomingMessage> {
  asked.signal?.throwIfAborted();
  const socket = await connectProvider(at.hostUri, at);
  try {
    const response = await send(socket, at, asked);
    if (response.statusCode === 200) return response;
    throw refusal(response.statusCode ?? 0, await readAll(response, asked.timeoutMs));
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/** An answer in JSON. @throws ProviderRefusal or ProviderConnectionError */
export async function exchangeJson(at: ProviderAddress, asked: Exchange): Promise<unknown> {
  const response = await exchange(at, asked);
  try {
    return JSON.parse(await readAll(response, asked.timeoutMs));
  } catch (error) {
    if (error instanceof ProviderConnectionError) throw error;
    throw new ProviderConnectionError(`${at.hostUri} answered with what is no JSON`);
  } finally {
    response.destroy();
  }
}

function send(socket: TLSSocket, at: ProviderAddress, asked: Exchange): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const timeoutMs = asked.timeoutMs ?? defaultTimeoutMs;
  const outgoing = request({
    createConnection: () => socket,
    method: asked.method,
    path: asked.path,
    headers: { host: new URL(at.hostUri).host, connection: 'close', ...signedHeaders(socket, asked) },
    ...(asked.signal === undefined ? {} : { signal: asked.signal }),
  });
  const timer = setTimeout(() => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  outgoing.once('response', (response) => {
    clearTimeout(timer);
    resolve(response);
  });
  // It stays: an answer may come, as a refusal does, before the body has gone, and what breaks then is no news.
  outgoing.on('error', (error) => {
    clearTimeout(timer);
    reject(new ProviderConnectionError(`${at.hostUri}: ${error.message}`));
  });
  for (const part of asked.body ?? []) outgoing.write(part);
  outgoing.end();
  return promise;
}

/** The headers of a request, with the tenant's proof where it has one. */
export function signedHeaders(
  socket: TLSSocket,
  { method, path, access, body }: Pick<Exchange, 'method' | 'path' | 'access' | 'body'>,
): Record<string, string> {
  const hash = createHash('sha256');
  for (const part of body ?? []) hash.update(part);
  const bodyHash = new Uint8Array(hash.digest());
  const content =
    body === undefined
      ? {}
      : {
          'content-length': String(body.reduce((sum, { length }) => sum + length, 0)),
          'content-digest': `sha-256=:${toBase64(bodyHash)}:`,
        };
  if (access === undefined) return content;
  const certificateHash = new Uint8Array(createHash('sha256').update(socket.getPeerCertificate().raw).digest());
  const nonce = access.random?.(16) ?? new Uint8Array(randomBytes(16));
  const proof = { nowMs: (access.now ?? Date.now)(), nonce };
  return {
    ...content,
    ...signRequest(access.key, access.delegation, { method, path, bodyHash, certificateHash }, proof),
  };
}

/** An answer as text. @throws ProviderConnectionError where it is too long, breaks off, or does not end in time */
export async function readAll(response: IncomingMessage, timeoutMs = defaultTimeoutMs): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  // Whoever asks several providers must not wait for ever for the one that holds its answer back.
  const late = (): void => void response.destroy(new Error(`it has not ended within ${timeoutMs} ms`));
  const timer = setTimeout(late, timeoutMs);
  try {
    for await (const part of response as AsyncIterable<Uint8Array>) {
      length += part.length;
      if (length > maxAnswerBytes) throw new Error('the answer is too long');
      parts.push(part);
    }
  } catch (error) {
    throw new ProviderConnectionError(`the answer broke off: ${(error as Error).message}`);
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The provider's own words, where it has any; they are a stranger's and cut to a length. */
export function refusal(status: number, text: string): ProviderRefusal {
  const said = parsed(text);
  const word = (key: string, most: number): string => {
    const value = said[key];
    return typeof value === 'string' ? value.replace(/[^\x20-\x7e\u00a0-\uffff]/g, ' ').slice(0, most) : '';
  };
  const code = /^[a-z_]{1,64}$/.test(word('code', 64)) ? word('code', 64) : 'unknown';
  return new ProviderRefusal(
    status,
    code,
    word('error', 500) || `the provider answered with status ${status}`,
    word('hint', 500),
  );
}

function parsed(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
