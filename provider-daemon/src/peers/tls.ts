/**
 * TLS between peers: version 1.3, both sides show their node's certificate and take any: `admitPeer` decides. Every handshake
 * is a whole one, so that what was recorded of one connection is of no use in another.
 */
import { constants } from 'node:crypto';
import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket, type TlsOptions } from 'node:tls';
import { hostAddress } from '@mu/client/provider/host-address';
import { publicLookup, refusePrivate } from '@mu/client/provider/private-peers';
import type { Timers } from '../overlay/timers.ts';
import { peerLimits } from './limits.ts';

/** The protocol's name in ALPN. */
export const peerProtocol = 'mu-peer/1';

/** Node's key and its certificate with the root's, in PEM: `tlsCredentials`. */
export interface PeerCredentials {
  readonly key: string;
  readonly cert: string;
}

const common = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ALPNProtocols: [peerProtocol],
  // Roots stand on the chain, those of each provider with it: what is shown is checked by `admitPeer`, and by nothing before.
  rejectUnauthorized: false,
} as const;

/** For `tls.createServer`: no tickets are given out, and no session is kept that could be taken up again. */
export function peerListenOptions({ key, cert }: PeerCredentials): TlsOptions {
  return {
    ...{ ...common, key, cert, requestCert: true, handshakeTimeout: peerLimits.helloMs },
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

export interface DialPeerOptions {
  /** As on the chain, `https://host:port`. */
  readonly hostUri: string;
  readonly credentials: PeerCredentials;
  readonly allowPrivatePeers: boolean;
  readonly timers: Timers;
}

/** Connects and shakes hands. @throws Error with what is wrong; the signal's reason where it was aborted */
export async function dialPeer(options: DialPeerOptions, signal: AbortSignal): Promise<TLSSocket> {
  signal.throwIfAborted();
  const socket = connect({ ...common, ...addressOf(options), ...options.credentials });
  // One that comes when nobody waits for the handshake any more is nobody's.
  socket.on('error', () => {});
  const abort = (): void => void socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort);
  const seconds = peerLimits.helloMs / 1000;
  const stop = options.timers.after(peerLimits.helloMs, () =>
    socket.destroy(new Error(`no handshake within ${seconds} s`)),
  );
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
      socket.once('close', () => reject(new Error('it has hung up')));
    });
    if (socket.alpnProtocol !== peerProtocol) throw new Error(`it does not speak ${peerProtocol}`);
    return withoutDelay(socket);
  } catch (error) {
    socket.destroy();
    throw new Error(`${options.hostUri}: ${(error as Error).message}`);
  } finally {
    stop();
    signal.removeEventListener('abort', abort);
  }
}

/** A message is sent when it is there, and a peer that is away is found out. */
export function withoutDelay(socket: TLSSocket): TLSSocket {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  return socket;
}

const keepAliveMs = 30_000;

function addressOf({ hostUri, allowPrivatePeers }: DialPeerOptions): ConnectionOptions {
  const address = hostAddress(hostUri);
  if (address === undefined) throw new Error(`${hostUri} is no https:// address`);
  const { host } = address;
  if (!allowPrivatePeers) refusePrivate(host);
  return {
    ...address,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(allowPrivatePeers ? {} : { lookup: publicLookup }),
  };
}
