/** HTTP requests to registries: bounded in time, size and redirects, to public addresses only. */
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isPrivateAddress, publicLookup } from '../provider/private-peers.ts';
import { RegistryError } from './errors.ts';

export const registryLimits = {
  /** A whole answer. */
  timeoutMs: 20_000,
  /** Manifests are a few KiB; registries themselves refuse more than this. */
  maxBytes: 4 * 1024 * 1024,
  maxRedirects: 3,
} as const;

export interface RegistryAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface RegistryHttpOptions {
  /** Registries on this machine and in private networks too; for local networks. Only loopback is asked without TLS. */
  readonly allowPrivate: boolean;
}

/** @throws RegistryError where there is no answer, or it is too long */
export async function registryGet(
  address: URL,
  headers: Readonly<Record<string, string>>,
  options: RegistryHttpOptions,
): Promise<RegistryAnswer> {
  let [at, sent] = [address, headers];
  for (let redirects = 0; redirects <= registryLimits.maxRedirects; redirects++) {
    const answer = await getOnce(at, sent, options);
    const { location } = answer.headers;
    if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return answer;
    const next = new URL(location, at);
    // Credentials stay with the host they are for.
    if (next.host !== at.host)
      sent = Object.fromEntries(Object.entries(sent).filter(([name]) => name !== 'authorization'));
    at = next;
  }
  throw new RegistryError(
    'refused',
    `the registry ${address.host} redirects more than ${registryLimits.maxRedirects} times`,
  );
}

/** `https://host`, or `http://host` on loopback where private registries are allowed: as the engine does. */
export function registryOrigin(host: string, { allowPrivate }: RegistryHttpOptions): string {
  return allowPrivate && isLoopback(host) ? `http://${host}` : `https://${host}`;
}

function isLoopback(host: string): boolean {
  const name = host.replace(/:\d+$/, '');
  return name === 'localhost' || /^127(?:\.\d{1,3}){3}$/.test(name);
}

function getOnce(
  address: URL,
  headers: Readonly<Record<string, string>>,
  { allowPrivate }: RegistryHttpOptions,
): Promise<RegistryAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RegistryAnswer>();
  const fail = (why: string): void =>
    reject(new RegistryError('refused', `the registry ${address.host} cannot be asked: ${why}`));
  const plain = address.protocol === 'http:';
  if ((plain && !(allowPrivate && isLoopback(address.host))) || (!plain && address.protocol !== 'https:')) {
    fail(`${address.protocol}// is not safe, only https is allowed`);
    return promise;
  }
  const literal = address.hostname.replace(/^\[|\]$/g, '');
  if (!allowPrivate && /^[\d.]+$|:/.test(literal) && isPrivateAddress(literal)) {
    fail('its address is not public; only public registries are asked');
    return promise;
  }
  const signal = AbortSignal.timeout(registryLimits.timeoutMs);
  const lookup = allowPrivate ? {} : { lookup: publicLookup };
  const send = plain ? httpRequest : httpsRequest;
  const request = send(address, { headers: { ...headers }, signal, agent: false, ...lookup }, (response) => {
    const chunks: Buffer[] = [];
    let length = 0;
    response.on('data', (chunk: Buffer) => {
      length += chunk.length;
      chunks.push(chunk);
      if (length > registryLimits.maxBytes)
        request.destroy(new Error(`an answer above ${registryLimits.maxBytes} bytes`));
    });
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
    );
    response.on('error', (error) => fail(error.message));
  });
  request.on('error', (error) => {
    fail(signal.aborted ? `no answer within ${registryLimits.timeoutMs / 1000} s` : error.message);
  });
  request.end();
  return promise;
}
