/**
 * One tunnel of a lease at the data plane: the protocol's part is `Tunnel`'s; here is what the daemon has told of it, which
 * changes while it stands, and by which each peer is looked at, at its handshake and whenever the chain has changed.
 */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { InstanceRoute } from '../network/instance-route.ts';
import type { StreamRoute } from '../network/relay.ts';
import type { DatagramRoute, DatagramSession } from '../network/udp-relay.ts';
import { type Admission, type AdmissionFacts, admit, type RefusalReason } from '../overlay/admission.ts';
import { dialTunnel, type KnownTunnel } from '../overlay/endpoint.ts';
import { closeCodes } from '../overlay/frames.ts';
import type { SessionCounters } from '../overlay/session-options.ts';
import { realTimers, type Timers } from '../overlay/timers.ts';
import { contextOf } from '../overlay/tls.ts';
import { Tunnel } from '../overlay/tunnel.ts';
import type { AdmittedSocket, CutReason } from '../overlay/tunnel-options.ts';
import { KnownPairs } from './known-pairs.ts';
import { type FarName, farName, type ServedTunnel, type ServedView } from './links.ts';

/** A callee waits so long for its caller to dial; then the caller seems to find no way. */
export const calleePatienceMs = 20_000;

/** What all tunnels of this machine have in common. */
export interface TunnelSurroundings {
  readonly timers: Timers;
  /** From 0 to 1. */
  readonly random: () => number;
  readonly known: KnownPairs;
  /** Peers at addresses that are not public are dialled. */
  readonly allowPrivatePeers: boolean;
  readonly log: (line: string) => void;
}

/** This machine's; pairs are known as long as the process lives, and peers at private addresses are refused. */
export function tunnelSurroundings(more: Partial<TunnelSurroundings> = {}): TunnelSurroundings {
  const timers = more.timers ?? realTimers;
  const known = more.known ?? new KnownPairs({ now: timers.now });
  return { random: Math.random, allowPrivatePeers: false, log: () => {}, ...more, timers, known };
}

export interface HeldTunnelOptions extends TunnelSurroundings {
  readonly view: () => ServedView | undefined;
  /** Own instances of a workload at a port. */
  readonly instances: (service: string, port: number) => InstanceRoute;
}

export class HeldTunnel implements StreamRoute, DatagramRoute, KnownTunnel {
  readonly #options: HeldTunnelOptions;
  readonly #tunnel: Tunnel;
  #wish: ServedTunnel;
  #context: SecureContext;
  /** Bytes that have been taken for the bill. */
  #taken = 0n;
  #lastLine = '';

  /** @throws Error where the credentials are none */
  constructor(wish: ServedTunnel, options: HeldTunnelOptions) {
    this.#wish = wish;
    this.#options = options;
    this.#context = contextOf(wish.credentials);
    const { timers, random, known } = options;
    this.#tunnel = new Tunnel({
      ...{ name: nameOf(wish), role: wish.role, timers, random },
      ...(wish.role === 'caller' ? {} : { streams: this.#streams(), datagrams: this.#datagrams() }),
      patienceMs: wish.role === 'caller' ? 0 : calleePatienceMs,
      dial: (signal) => this.#dial(signal),
      admitPeer: this.admitPeer,
      onUp: () => known.add(this.#wish.label),
      log: (line) => this.#log(line),
    });
  }

  get wish(): ServedTunnel {
    return this.#wish;
  }

  /** What the listener shows. */
  get context(): SecureContext {
    return this.#context;
  }

  get isUp(): boolean {
    return this.#tunnel.isUp;
  }

  /** The workload here that calls; undefined for a callee. */
  get caller(): string | undefined {
    return this.#wish.role === 'caller' ? this.#wish.own.workload : undefined;
  }

  /** Whom it leads to, for a caller; undefined for a callee. */
  get far(): FarName | undefined {
    const { role, peer, connection } = this.#wish;
    return role === 'caller' ? farName(peer.workload, connection) : undefined;
  }

  /**
   * What the daemon tells now of the same tunnel. Sessions that stand go on as long as their peer may have them, and show new
   * credentials to it.
   * @throws Error where the credentials are none: then nothing has changed
   */
  update(wish: ServedTunnel): void {
    const before = this.#wish;
    const isRenewed = wish.credentials.cert !== before.credentials.cert;
    if (isRenewed) this.#context = contextOf(wish.credentials);
    this.#wish = wish;
    this.look();
    if (isRenewed) this.#tunnel.renew(wish.credentials);
    const isOther = (part: 'dial' | 'facts' | 'credentials'): boolean =>
      JSON.stringify(wish[part]) !== JSON.stringify(before[part]);
    if (isOther('dial') || isOther('facts') || isOther('credentials')) this.#tunnel.hurry();
  }

  /** Facts or view have changed: sessions whose peer may no longer have them are cut. */
  look(): void {
    this.#tunnel.review((chain) => cutReason(this.admitPeer(chain)));
    if (this.#tunnel.isUp) this.#options.known.add(this.#wish.label);
  }

  readonly admitPeer = (chain: readonly Uint8Array[]): Admission => {
    const { timers, known, view } = this.#options;
    const seen = view();
    if (seen === undefined) {
      return { admitted: false, reason: 'view_too_old', text: 'the chain has not been looked at yet' };
    }
    const { role, peer, connection, own, label } = this.#wish;
    return admit({
      chain,
      expected: {
        ...{ peer: { ...peer, dseq: BigInt(peer.dseq) }, connection, own },
        peerRole: role === 'caller' ? 'callee' : 'caller',
        isKnownPair: known.has(label),
      },
      facts: factsOf(this.#wish, seen),
      nowMs: timers.now(),
    });
  };

  /** A peer has dialled, and was admitted. */
  accept(admitted: AdmittedSocket): void {
    this.#tunnel.accept(admitted);
  }

  open(signal: AbortSignal): Promise<Duplex> {
    return this.#tunnel.open(signal);
  }

  openDatagrams(far: { message(bytes: Buffer): void; closed(): void }): DatagramSession | undefined {
    return this.#tunnel.openDatagrams(far);
  }

  /** Resolves when a session is up. @throws Error where there is none in time */
  whenUp(signal: AbortSignal): Promise<void> {
    return this.#tunnel.whenUp(signal);
  }

  cut(code: number, text: string): void {
    this.#tunnel.cut(code, text);
  }

  counters(): SessionCounters {
    return this.#tunnel.counters();
  }

  /** Payload both ways since the last call. */
  takeBytes(): bigint {
    const { sentBytes, receivedBytes } = this.#tunnel.counters();
    const bytes = sentBytes + receivedBytes - this.#taken;
    this.#taken += bytes;
    return bytes;
  }

  async #dial(signal: AbortSignal): Promise<AdmittedSocket> {
    const { dial, label, credentials } = this.#wish;
    if (dial === undefined) throw new Error('the peer’s address is not known');
    const { allowPrivatePeers } = this.#options;
    return dialTunnel({ ...dial, label, credentials, allowPrivatePeers, admitPeer: this.admitPeer }, signal);
  }

  /** By the wish as it is at each connection: instances and port may be others by then. */
  #streams(): { open(signal: AbortSignal): Promise<Socket> } {
    return {
      open: async (signal) => {
        if (this.#wish.protocol !== 'tcp') throw new Error('it is a connection for datagrams');
        return this.#instances().open(signal);
      },
    };
  }

  #datagrams(): DatagramRoute {
    return {
      openDatagrams: (far) => (this.#wish.protocol === 'udp' ? this.#instances().openDatagrams(far) : undefined),
    };
  }

  #instances(): InstanceRoute {
    return this.#options.instances(this.#wish.own.workload, this.#wish.port);
  }

  /** A peer that is away for days says the same each minute. */
  #log(line: string): void {
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    this.#options.log(line);
  }
}

const nameOf = ({ role, own, peer, connection }: ServedTunnel): string => {
  const [here, there] = [own.workload, `${peer.workload} at ${peer.provider}/${peer.nodeId}`];
  return role === 'caller' ? `${here} → ${there} (${connection})` : `${there} → ${here} (${connection})`;
};

function factsOf({ role, own, peer, connection, facts }: ServedTunnel, view: ServedView): AdmissionFacts {
  const { node } = facts;
  const heights = (of: { readonly validFromHeight: string; readonly validToHeight: string }) => ({
    validFromHeight: BigInt(of.validFromHeight),
    validToHeight: BigInt(of.validToHeight),
  });
  const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
  return {
    ...{ chainId: peer.chainId, height: BigInt(view.height), verifiedAtMs: view.verifiedAtMs },
    roots: facts.roots.map((root) => ({ certificate: bytes(root.certificate), ...heights(root) })),
    ...(node === undefined
      ? {}
      : {
          node: { publicKey: bytes(node.publicKey), removedHeight: BigInt(node.removedHeight), ...heights(node) },
        }),
    leases: facts.leases,
    // It is told because it is declared: where it is not any more, it is not told.
    connections: [
      { name: connection, ...(role === 'caller' ? { caller: own, callee: peer } : { caller: peer, callee: own }) },
    ],
  };
}

const codeOf: Partial<Record<RefusalReason, number>> = {
  ...{ no_lease: closeCodes.lease_ended, not_declared: closeCodes.lease_ended },
  ...{ revoked: closeCodes.revoked, root_ended: closeCodes.revoked },
  ...{ other_root: closeCodes.revoked, other_key: closeCodes.revoked },
  expired: closeCodes.expired,
};

/** An old view of the chain ends nothing that stands. */
function cutReason(admission: Admission): CutReason | undefined {
  if (admission.admitted || admission.reason === 'view_too_old') return undefined;
  return { code: codeOf[admission.reason] ?? closeCodes.not_admitted, text: admission.text };
}
