/**
 * TLS to a provider's own listener (design §6, Addresses): TLS 1.3, protocol by ALPN, no host names: the certificate must
 * come from one of the roots that the chain has, and its one URI must name the provider.
 */

import { X509Certificate } from 'node:crypto';
import { Agent } from 'node:https';
import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { toBase64 } from '@mu/lib/bytes';
import { ProviderConnectionError } from './errors.ts';
import { hostAddress } from './host-address.ts';
import { publicLookup, refusePrivate } from './private-peers.ts';

/** The API's name in ALPN. */
export const apiProtocol = 'mu-api/1';

/** Whom to accept. */
export interface ProviderIdentity {
  readonly chainId: string;
  /** Owner address of the provider. */
  readonly provider: string;
  /** Only this node; absent: any node of the provider. */
  readonly nodeId?: string;
  /** Root certificates in DER that hold at the current height. */
  readonly roots: readonly Uint8Array[];
  /** Connect to private, loopback and link-local addresses too; for local networks. */
  readonly allowPrivatePeers?: boolean;
}

/** Options for `tls.connect` that accept the provider and nobody else. @throws ProviderConnectionError without a root */
export function providerTls(identity: ProviderIdentity): ConnectionOptions {
  if (identity.roots.length === 0) {
    throw new ProviderConnectionError(`${identity.provider} has no root certificate that holds now`);
  }
  return {
    ca: identity.roots.map(toPem),
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ALPNProtocols: [apiProtocol],
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) => checkName(certificate, identity),
    ...(identity.allowPrivatePeers === true ? {} : { lookup: publicLookup }),
  };
}

/** An agent with the same options. Sessions are not resumed: a resumed one would skip the check of the name. */
export function providerAgent(identity: ProviderIdentity): Agent {
  return new Agent({ ...providerTls(identity), maxCachedSessions: 0 });
}

/** The error for a certificate of somebody else; undefined for the right one. */
function checkName({ raw }: PeerCertificate, { chainId, provider, nodeId }: ProviderIdentity): Error | undefined {
  // node:crypto quotes and escapes names that contain a comma or a quote: one name cannot pass for two.
  const names = new X509Certificate(raw).subjectAltName ?? '';
  const prefix = `URI:mu://${chainId}/${provider}/`;
  const node = names.startsWith(prefix) ? names.slice(prefix.length) : '';
  const right = nodeId === undefined ? /^[a-z0-9-]{1,64}$/.test(node) : node === nodeId;
  if (right) return undefined;
  return new ProviderConnectionError(
    `the certificate there is of ${names === '' ? 'nobody' : names}, not of ${provider} on ${chainId}`,
  );
}

/**
 * Connects and checks; the socket is ready for a request.
 * @param hostUri as on the chain, `https://host:port`
 * @throws ProviderConnectionError
 */
export async function connectProvider(
  hostUri: string,
  identity: ProviderIdentity,
  timeoutMs = 10_000,
): Promise<TLSSocket> {
  const address = hostAddress(hostUri);
  if (address === undefined) throw new ProviderConnectionError(`${hostUri} is no https:// address`);
  if (identity.allowPrivatePeers !== true) refusePrivate(address.host);
  const options = { ...providerTls(identity), ...address, timeout: timeoutMs };
  const socket = connect(options);
  try {
    await new Promise<void>((done, fail) => {
      socket.once('secureConnect', done);
      socket.once('error', fail);
      socket.once('timeout', () => fail(new Error('no answer in time')));
      socket.once('close', () => fail(new Error('the connection was closed')));
    });
    if (socket.alpnProtocol !== apiProtocol) throw new Error(`it does not speak ${apiProtocol}`);
  } catch (error) {
    socket.destroy();
    if (error instanceof ProviderConnectionError) throw error;
    const why = await whyNotInTime(error, options);
    throw new ProviderConnectionError(`${hostUri}: ${why ?? (error as Error).message}`);
  }
  socket.setTimeout(0);
  return socket;
}

/** Errors of OpenSSL for certificates that hold no longer, or not yet. */
const untimely = ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'];

/**
 * Which certificate is out of its time, when, and whose it is; undefined where it was something else. Asks once more for
 * the certificates alone: the connection that refused them does not give them out. Nothing is sent on it.
 */
async function whyNotInTime(error: unknown, options: ConnectionOptions): Promise<string | undefined> {
  if (!untimely.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
  const socket = connect({ ...options, rejectUnauthorized: false });
  try {
    await new Promise<void>((done, fail) => {
      socket.once('secureConnect', done);
      socket.once('error', fail);
      socket.once('timeout', () => fail(new Error('no answer in time')));
    });
    const shown = socket.getPeerX509Certificate();
    const roots = [options.ca].flat().flatMap((pem) => (pem === undefined ? [] : new X509Certificate(pem)));
    return untimelyText([...(shown === undefined ? [] : [shown]), ...roots], Date.now());
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

/** Of a node's certificate and the provider's roots, what is out of its time. */
export function untimelyText(certificates: readonly X509Certificate[], nowMs: number): string | undefined {
  for (const { validFromDate: from, validToDate: to, subject, subjectAltName } of certificates) {
    const whose = /URI:(mu:\/\/[\x21-\x7e]{1,200})/.exec(subjectAltName ?? '')?.[1];
    const which =
      whose === undefined ? `the root certificate ${subject.replace(/\s+/g, ' ')}` : `the certificate of ${whose}`;
    if (to.getTime() < nowMs) {
      return `${which} expired at ${to.toISOString()}: its provider renews it by restarting \`mu-provider start\`, or your clock is wrong`;
    }
    if (from.getTime() > nowMs) return `${which} holds from ${from.toISOString()} on: your clock is behind`;
  }
  return undefined;
}

function toPem(der: Uint8Array): string {
  return `-----BEGIN CERTIFICATE-----\n${toBase64(der).replace(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`;
}
