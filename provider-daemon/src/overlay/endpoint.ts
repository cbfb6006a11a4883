/** Both ends of a tunnel's handshake: TLS, then `admit`; only then a byte of the peer's is read (docs/OVERLAY.md). */
import { connect, type TLSSocket } from 'node:tls';
import { publicLookup, refusePrivate } from '@mu/client/provider/private-peers';
import type { Admission } from './admission.ts';
import type { TunnelCredentials } from './certificates.ts';
import { closeCodes, encodeFrame } from './frames.ts';
import { bindingOf, RenewalProofs } from './renewal.ts';
import { dialOptions, labelOf, peerChain, shownCertificate, tunnelProtocol } from './tls.ts';
import type { AdmittedSocket } from './tunnel-options.ts';

/** A peer that is not admitted, or does not speak the protocol; the message says why. */
export class AdmissionError extends Error {
  override readonly name = 'AdmissionError';
}

export interface DialOptions {
  readonly host: string;
  readonly port: number;
  /** Addresses that are not public are connected to: local networks only. */
  readonly allowPrivatePeers: boolean;
  /** Of `tunnelLabel`. */
  readonly label: string;
  readonly credentials: TunnelCredentials;
  /** What `admit` says of the peer's certificates, in DER. */
  readonly admitPeer: (chain: readonly Uint8Array[]) => Promise<Admission> | Admission;
}

/**
 * @throws AdmissionError, and the system's error where nobody answers; the signal's reason where it was aborted;
 * ProviderConnectionError for an address that is not public, where those are not allowed
 */
export async function dialTunnel(options: DialOptions, signal: AbortSignal): Promise<AdmittedSocket> {
  const { host, port, label, credentials, admitPeer, allowPrivatePeers } = options;
  signal.throwIfAborted();
  if (!allowPrivatePeers) refusePrivate(host);
  // Names are checked where they are looked up: what is checked is what is connected to.
  const lookup = allowPrivatePeers ? {} : { lookup: publicLookup };
  const socket = connect({ ...dialOptions(label, credentials), ...lookup, host, port });
  const abort = (): void => void socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort);
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
      socket.once('close', () => reject(new Error(`${host}:${port} has hung up`)));
    });
    return await admitted(socket, admitPeer, true);
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** What a listener knows of a tunnel that a peer has named. */
export type KnownTunnel = Pick<DialOptions, 'admitPeer'>;

/**
 * The other end, once a listener with `listenOptions` has done the handshake. A peer that is not admitted is told why.
 * @throws AdmissionError; the socket is closed then
 */
export async function acceptTunnel(
  socket: TLSSocket,
  known: (label: string) => KnownTunnel | undefined,
): Promise<AdmittedSocket & { readonly label: string }> {
  socket.on('error', () => {});
  const label = labelOf(socket.servername || '') ?? '';
  const tunnel = known(label);
  try {
    if (tunnel === undefined) throw new AdmissionError(`no tunnel of the name ${label}`);
    return { label, ...(await admitted(socket, tunnel.admitPeer, false)) };
  } catch (error) {
    // Why a question could not be answered is for the log here.
    const text = error instanceof AdmissionError ? error.message : 'whether it may cannot be told now';
    socket.end(encodeFrame({ type: 'close', code: closeCodes.not_admitted, text }), () => socket.destroySoon());
    throw error;
  }
}

async function admitted(
  socket: TLSSocket,
  admitPeer: DialOptions['admitPeer'],
  isDialer: boolean,
): Promise<AdmittedSocket> {
  if (socket.alpnProtocol !== tunnelProtocol) throw new AdmissionError(`it does not speak ${tunnelProtocol}`);
  const chain = peerChain(socket);
  const admission = await admitPeer(chain);
  if (!admission.admitted) throw new AdmissionError(`not admitted (${admission.reason}): ${admission.text}`);
  if (socket.destroyed) throw new Error('the peer has hung up');
  // A message is sent when it is there, not when more have come.
  socket.setNoDelay(true);
  return {
    ...{ socket, chain, peer: admission, own: shownCertificate(socket) },
    proofs: new RenewalProofs(bindingOf(socket), isDialer),
  };
}
