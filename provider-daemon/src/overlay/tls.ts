/**
 * TLS of tunnels: both sides show a certificate, and take any: `admit` decides about it before a byte of the protocol is
 * read. The dialer names the tunnel by a label, so that the other side knows which certificate to show.
 */
import { createHash } from 'node:crypto';
import {
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
  type TlsOptions,
} from 'node:tls';
import { toBase32 } from '@mu/lib/base32';
import { type TunnelCredentials, type TunnelName, tunnelUri } from './certificates.ts';
import type { ShownCertificate } from './tunnel-options.ts';

/** The protocol's name in ALPN. */
export const tunnelProtocol = 'mu-tunnel/1';

const labelSuffix = '.tunnel.mu.internal';
/** For a peer to finish the handshake. */
const handshakeMs = 10_000;

/** Both ends of a tunnel, and the connection that it is for. */
export interface TunnelEnds {
  readonly connection: string;
  readonly caller: TunnelName;
  readonly callee: TunnelName;
}

/** 32 letters and digits that name a tunnel, the same at both ends. */
export function tunnelLabel({ connection, caller, callee }: TunnelEnds): string {
  const hash = createHash('sha256').update('mu/tunnel/1');
  for (const text of [connection, tunnelUri(caller), tunnelUri(callee)]) {
    const bytes = Buffer.from(text);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hash.update(length).update(bytes);
  }
  return toBase32(hash.digest().subarray(0, 20));
}

const common = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ALPNProtocols: [tunnelProtocol],
  // A node is no authority for TLS: what it has signed is checked by `admit`, and by nothing before.
  rejectUnauthorized: false,
} as const;

/** For `tls.connect`; sessions are not resumed: each handshake shows both certificates. */
export function dialOptions(label: string, { key, cert }: TunnelCredentials): ConnectionOptions {
  return { ...common, key, cert, servername: `${label}${labelSuffix}` };
}

/**
 * For `tls.createServer`.
 * @param credentialsOf what to show for a tunnel; undefined for one that is not known, which ends the handshake
 */
export function listenOptions(credentialsOf: (label: string) => SecureContext | undefined): TlsOptions {
  return {
    ...common,
    requestCert: true,
    handshakeTimeout: handshakeMs,
    SNICallback: (servername, done) => {
      const label = labelOf(servername);
      const context = label === undefined ? undefined : credentialsOf(label);
      if (context === undefined) done(new Error(`no tunnel of the name ${servername}`));
      else done(null, context);
    },
  };
}

/** What a listener shows for a tunnel. */
export function contextOf({ key, cert }: TunnelCredentials): SecureContext {
  return createSecureContext({ key, cert, minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' });
}

/** The tunnel's label in the name that a dialer has given. */
export function labelOf(servername: string): string | undefined {
  const label = servername.endsWith(labelSuffix) ? servername.slice(0, -labelSuffix.length) : '';
  return /^[a-z2-7]{32}$/.test(label) ? label : undefined;
}

const shown = new WeakMap<TLSSocket, readonly Uint8Array[]>();

/** What the peer has shown, in DER: at most the tunnel's certificate and the node's. */
export function peerChain(socket: TLSSocket): readonly Uint8Array[] {
  const before = shown.get(socket);
  if (before !== undefined) return before;
  // At a server Node gives the issuer only the first time it is asked.
  const leaf = socket.getPeerX509Certificate();
  const chain = [leaf, leaf?.issuerCertificate].flatMap((one) => (one === undefined ? [] : [new Uint8Array(one.raw)]));
  shown.set(socket, chain);
  return chain;
}

/** What this side has shown: by now there may be newer credentials. */
export function shownCertificate(socket: TLSSocket): ShownCertificate {
  const own = socket.getX509Certificate();
  if (own === undefined) throw new Error('this side has shown no certificate');
  return { der: own.raw, notBeforeMs: own.validFromDate.getTime(), notAfterMs: own.validToDate.getTime() };
}
