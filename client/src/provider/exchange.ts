/** One HTTP request to a provider, over a connection of its own whose certificate is checked before anything is sent. */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { toBase64 } from '@mu/lib/bytes';
import type { FileSource } from '../manifest/file-source.ts';
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
  /** Read twice: its hash is signed before anything is sent. */
  readonly body?: FileSource;
  /** How long the answer may take to begin once all is sent; and, where it is read whole, from then to its end. */
  readonly timeoutMs?: number;
  /** For so long the provider may take no byte of the body. */
  readonly stallMs?: number;
  readonly signal?: AbortSignal;
}

const defaultTimeoutMs = 30_000;
const defaultStallMs = 60_000;
/** An answer that is read whole has at most so many bytes. */
const maxAnswerBytes = 1024 * 1024;

/** The answer, once it has begun with success. @throws ProviderRefusal or ProviderConnectionError */
export async function exchange(at: ProviderAddress, asked: Exchange): Promise<IncomingMessage> {
  // Before the connection is made: gigabytes take their time, and nobody waits for them.
  const bodyHash = await hashOf(asked.body);
  asked.signal?.throwIfAborted();
  const socket = await connectProvider(at.hostUri, at);
  try {
    const response = await send(socket, at, { ...asked, bodyHash });
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

type Hashed = Exchange & { readonly bodyHash: Uint8Array };

function send(socket: TLSSocket, at: ProviderAddress, asked: Hashed): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const timeoutMs = asked.timeoutMs ?? defaultTimeoutMs;
  const outgoing = request({
    createConnection: () => socket,
    method: asked.method,
    path: asked.path,
    headers: { host: new URL(at.hostUri).host, connection: 'close', ...signedHeaders(socket, asked) },
    ...(asked.signal === undefined ? {} : { signal: asked.signal }),
  });
  let timer: NodeJS.Timeout | undefined;
  const within = (ms: number, what: string): void => {
    clearTimeout(timer);
    timer = setTimeout(() => outgoing.destroy(new Error(`${what} within ${ms} ms`)), ms);
  };
  let isOver = false;
  const over = (): void => {
    isOver = true;
    clearTimeout(timer);
  };
  outgoing.once('response', (response) => {
    over();
    resolve(response);
  });
  // It stays: an answer may come, as a refusal does, before the body has gone, and what breaks then is no news.
  outgoing.on('error', (error) => {
    over();
    reject(new ProviderConnectionError(`${at.hostUri}: ${error.message}`));
  });
  const body = {
    chunks: asked.body?.chunks() ?? [],
    isOver: () => isOver,
    onProgress: () => within(asked.stallMs ?? defaultStallMs, 'the provider takes no more of the manifest: no byte'),
  };
  sendBody(outgoing, body).then(
    () => {
      if (!isOver) within(timeoutMs, 'no answer');
    },
    (error: unknown) => outgoing.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  return promise;
}

/** Sends as much as the other side takes, and holds no more than a chunk; an answer ends it. */
async function sendBody(
  outgoing: ClientRequest,
  {
    chunks,
    isOver,
    onProgress,
  }: {
    readonly chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[];
    readonly isOver: () => boolean;
    readonly onProgress: () => void;
  },
): Promise<void> {
  for await (const chunk of chunks) {
    if (isOver()) return;
    onProgress();
    await written(outgoing, chunk);
  }
  if (!isOver()) outgoing.end();
}

/** Resolves when the chunk is on its way, or never will be. */
function written(outgoing: ClientRequest, chunk: Uint8Array): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  outgoing.once('close', resolve);
  outgoing.write(chunk, () => {
    outgoing.off('close', resolve);
    resolve();
  });
  return promise;
}

/** Of the bytes of the body, or of none. */
async function hashOf(body: FileSource | undefined): Promise<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of body?.chunks() ?? []) hash.update(chunk);
  return new Uint8Array(hash.digest());
}

/** The headers of a request, with the tenant's proof where it has one. @param asked with SHA-256 of its body, if it has one */
export function signedHeaders(
  socket: TLSSocket,
  {
    method,
    path,
    access,
    body,
    bodyHash = noBodyHash,
  }: Pick<Exchange, 'method' | 'path' | 'access' | 'body'> & { readonly bodyHash?: Uint8Array },
): Record<string, string> {
  const content: Record<string, string> =
    body === undefined
      ? {}
      : { 'content-length': String(body.size), 'content-digest': `sha-256=:${toBase64(bodyHash)}:` };
  if (access === undefined) return content;
  const certificateHash = new Uint8Array(createHash('sha256').update(socket.getPeerCertificate().raw).digest());
  const nonce = access.random?.(16) ?? new Uint8Array(randomBytes(16));
  const proof = { nowMs: (access.now ?? Date.now)(), nonce };
  return {
    ...content,
    ...signRequest(access.key, access.delegation, { method, path, bodyHash, certificateHash }, proof),
  };
}

const noBodyHash = new Uint8Array(createHash('sha256').digest());

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
