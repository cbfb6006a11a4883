/**
 * What links a lease with the deployment's other infrastructures: pure, from its plan and what the chain says of those who
 * take part. A tunnel for each declared connection and pair of nodes; to a lease of this provider's own no tunnel is needed
 * (docs/OVERLAY.md).
 */
import { hostAddress } from '@mu/client/provider/host-address';
import { toBase64 } from '@mu/lib/bytes';
import {
  farName,
  type ServedEnd,
  type ServedFacts,
  type ServedLinks,
  type ServedNeighbour,
  type ServedOffer,
  type ServedTunnel,
} from '../data-plane/links.ts';
import type { NodeName } from '../identity/certificates.ts';
import type { WorkloadName } from '../overlay/admission.ts';
import type { TunnelCredentials, TunnelName } from '../overlay/certificates.ts';
import { tunnelLabel } from '../overlay/tls.ts';
import type { FarCall, FarConnections, FarOffer } from './far-connections.ts';
import { type DeploymentView, holds, type NodeFact, type Participant, type PeerProvider } from './participants.ts';
import type { LeasePlace } from './plan.ts';

/** Tunnels of one lease; those beyond are left out, the ones that would be tried last first. */
export const maxTunnels = 256;

export interface LinkQuestion {
  readonly place: LeasePlace;
  readonly plan: FarConnections;
  /** This node. */
  readonly node: NodeName;
  readonly deployment: Pick<DeploymentView, 'participants'>;
  /** Those of the participants that the chain has, by their addresses. */
  readonly providers: ReadonlyMap<string, PeerProvider>;
  /** The height at which nodes have to hold. */
  readonly height: bigint;
}

/** A tunnel that has yet to be given its credentials. */
export interface WishedTunnel extends Omit<ServedTunnel, 'credentials'> {
  /** This end, for which the credentials are. */
  readonly ownEnd: TunnelName;
}

export interface WishedLinks {
  readonly tunnels: readonly WishedTunnel[];
  readonly neighbours: readonly ServedNeighbour[];
  readonly offers: readonly ServedOffer[];
  /** Tunnels beyond `maxTunnels`, which are not among them. */
  readonly leftOut: number;
}

/** A workload elsewhere, and the connection with it. */
interface Way extends Pick<FarCall, 'connection' | 'port' | 'protocol'> {
  readonly role: ServedTunnel['role'];
  readonly own: string;
  readonly far: WorkloadName;
}

interface Ranked {
  readonly tunnel: WishedTunnel;
  /** Its place among those of the same way. */
  readonly rank: number;
}

/** @returns none where the chain says that the lease itself is over */
export function wishedLinks(question: LinkQuestion): WishedLinks {
  const { place, plan, deployment } = question;
  const own = deployment.participants.find(({ lease }) => lease === place.lease);
  if (own !== undefined && !holds(own)) return { tunnels: [], neighbours: [], offers: [], leftOut: 0 };
  const ranked = waysOf(plan).flatMap((ways) => rankedTunnels(ways, question));
  // Whatever is left out, each connection keeps the peers that it would try first.
  const sorted = ranked.sort((a, b) => a.rank - b.rank).map(({ tunnel }) => tunnel);
  const tunnels = [...new Map(sorted.map((one) => [one.label, one])).values()];
  return {
    tunnels: tunnels.slice(0, maxTunnels),
    neighbours: neighboursOf(question),
    offers: offersOf(question),
    leftOut: Math.max(0, tunnels.length - maxTunnels),
  };
}

/** With credentials, by label; a tunnel for which there are none is left out. */
export function servedLinks(
  { tunnels, neighbours, offers }: WishedLinks,
  credentials: ReadonlyMap<string, TunnelCredentials>,
): ServedLinks {
  return {
    tunnels: tunnels.flatMap(({ ownEnd: _, ...tunnel }) => {
      const found = credentials.get(tunnel.label);
      return found === undefined ? [] : [{ ...tunnel, credentials: found }];
    }),
    neighbours,
    offers,
  };
}

/** Infrastructures from which, or to which, a connection of the plan leads. */
export function farInfrastructures({ farCalls, farOffers }: FarConnections): ReadonlySet<string> {
  return new Set([
    ...farCalls.flatMap(({ infrastructures }) => infrastructures),
    ...farOffers.flatMap(({ callers }) => callers.map(({ infrastructure }) => infrastructure)),
  ]);
}

/** Each with all the workloads among which a caller chooses: one for a call, and for a callee each caller by itself. */
function waysOf({ farCalls, farOffers }: FarConnections): Way[][] {
  return [...farCalls.map(callWays), ...farOffers.flatMap(offerWays)];
}

function callWays({ caller, callee, connection, port, protocol, infrastructures }: FarCall): Way[] {
  return infrastructures.map((infrastructure) => ({
    role: 'caller',
    own: caller,
    far: { infrastructure, workload: callee },
    ...{ connection, port, protocol },
  }));
}

function offerWays({ callee, connection, port, protocol, callers }: FarOffer): Way[][] {
  return callers.map((far) => [{ role: 'callee', own: callee, far, connection, port, protocol }]);
}

function rankedTunnels(ways: readonly Way[], question: LinkQuestion): Ranked[] {
  const { deployment, providers, node, height } = question;
  const candidates = ways.flatMap((way) =>
    holdersOf(deployment, way.far.infrastructure)
      .filter(({ provider }) => provider !== node.provider)
      .map((participant) => ({ way, participant })),
  );
  return candidates
    .sort((a, b) => inOrder(a.participant, b.participant))
    .flatMap(({ way, participant }) => {
      const peer = providers.get(participant.provider);
      const nodes = [...(peer?.nodes ?? [])].filter(([, fact]) => stands(fact, height)).sort(byId);
      return nodes.map(([nodeId, fact]) => tunnelOf(way, { question, peer: peer as PeerProvider, nodeId, fact }));
    })
    .map((tunnel, rank) => ({ tunnel, rank }));
}

function tunnelOf(
  way: Way,
  of: {
    readonly question: LinkQuestion;
    readonly peer: PeerProvider;
    readonly nodeId: string;
    readonly fact: NodeFact;
  },
): WishedTunnel {
  const { place, deployment, node } = of.question;
  const { connection, port, protocol, role } = way;
  const own = { infrastructure: place.infrastructure, workload: way.own };
  const { owner, dseq } = place;
  const ownEnd = { ...node, owner, dseq, ...own };
  const farEnd = { chainId: node.chainId, provider: of.peer.provider, nodeId: of.nodeId, owner, dseq, ...way.far };
  const ends = role === 'caller' ? { caller: ownEnd, callee: farEnd } : { caller: farEnd, callee: ownEnd };
  const dial = hostAddress(of.peer.hostUri);
  return {
    ...{ label: tunnelLabel({ connection, ...ends }), role, connection, protocol, port, own, ownEnd },
    peer: { ...farEnd, dseq: `${dseq}` } satisfies ServedEnd,
    ...(dial === undefined ? {} : { dial }),
    facts: factsOf(of.peer, of.fact, deployment),
  };
}

/** Of the leases only the peer's: no other one can admit it. */
function factsOf(peer: PeerProvider, node: NodeFact, { participants }: LinkQuestion['deployment']): ServedFacts {
  return {
    roots: peer.roots.map(({ certificate, validFromHeight, validToHeight }) => ({
      certificate: toBase64(certificate),
      ...heightsOf({ validFromHeight, validToHeight }),
    })),
    node: {
      publicKey: toBase64(node.publicKey),
      ...heightsOf(node),
      removedHeight: `${node.removedHeight}`,
    },
    leases: participants
      .filter(({ provider }) => provider === peer.provider)
      .map(({ provider, infrastructure, standing, isRunning }) => ({ provider, infrastructure, standing, isRunning })),
  };
}

const heightsOf = ({ validFromHeight, validToHeight }: Pick<NodeFact, 'validFromHeight' | 'validToHeight'>) => ({
  validFromHeight: `${validFromHeight}`,
  validToHeight: `${validToHeight}`,
});

/** Leases of this provider's that answer a call. */
function neighboursOf({ place, plan, deployment, node }: LinkQuestion): ServedNeighbour[] {
  return plan.farCalls.flatMap(({ caller, callee, connection, protocol, infrastructures }) =>
    infrastructures
      .flatMap((infrastructure) => holdersOf(deployment, infrastructure))
      .filter(({ provider }) => provider === node.provider)
      .sort(inOrder)
      .map(({ lease }) => ({
        ...{ far: farName(callee, connection), protocol, lease: `${lease}` },
        caller: { infrastructure: place.infrastructure, workload: caller },
      })),
  );
}

/** What leases of this provider's may call here. */
function offersOf({ plan, deployment, node }: LinkQuestion): ServedOffer[] {
  return plan.farOffers.flatMap(({ callee, connection, port, protocol, callers }) => {
    const own = callers.filter(({ infrastructure }) =>
      holdersOf(deployment, infrastructure).some(({ provider }) => provider === node.provider),
    );
    if (own.length === 0) return [];
    return [{ far: farName(callee, connection), protocol, service: callee, port, callers: own }];
  });
}

/** Leases of an infrastructure that live, whosever they are. */
export function holdersOf({ participants }: LinkQuestion['deployment'], infrastructure: string): Participant[] {
  return participants.filter((one) => one.infrastructure === infrastructure && holds(one));
}

/** Those first that say they run; of the others, and among those, the newer lease: what it replaces ends soon. */
function inOrder(a: Participant, b: Participant): number {
  if (a.isRunning !== b.isRunning) return a.isRunning ? -1 : 1;
  return a.lease > b.lease ? -1 : 1;
}

const byId = ([a]: readonly [string, NodeFact], [b]: readonly [string, NodeFact]): number => (a < b ? -1 : 1);

function stands({ removedHeight, validFromHeight, validToHeight }: NodeFact, height: bigint): boolean {
  return removedHeight === 0n && height >= validFromHeight && (validToHeight === 0n || height <= validToHeight);
}
