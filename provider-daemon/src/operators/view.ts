/** What the running daemon tells of itself: its state, its health, its inventory. */
import { messageOf } from '@mu/lib/error-message';
import { LeaseState } from '@mu/proto/market';
import { reconcile } from '../bidding/reconcile.ts';
import { type InventoryReport, inventoryReport } from '../bidding/report.ts';
import { gatewayUri, hostUri } from '../setup/places.ts';
import type { WorkloadName } from '../workloads/driver.ts';
import { expiries } from './expiry.ts';
import { type Health, type HealthInput, health } from './health.ts';
import type { OperatorSources } from './sources.ts';

/** Of a running daemon; numbers of the chain are texts. */
export interface StatusReport {
  readonly provider: string;
  readonly node: string;
  readonly operator: string;
  readonly pid: number;
  readonly started_at: string;
  readonly host: string;
  readonly host_port: number;
  readonly gateway: string;
  /** undefined before the chain has been asked */
  readonly registered?: boolean;
  /** what the watch has told of */
  readonly height: string;
  readonly chain: {
    readonly id: string;
    readonly node_height?: number;
    readonly block_time?: string;
    readonly catching_up?: boolean;
    /** why the node does not answer now */
    readonly trouble?: string;
  };
  /** the newest proved block */
  readonly view?: { readonly height: number; readonly age_seconds: number };
  readonly draining: boolean;
  readonly leases: number;
  readonly open_bids: number;
  readonly data_plane: { readonly up: boolean; readonly pid?: number; readonly version?: number };
  readonly engine?: { readonly up: boolean; readonly reason: string };
  readonly certificates: readonly { readonly kind: string; readonly level: string; readonly text: string }[];
  readonly node_certificate_ends_at: string;
  /** in the base denomination */
  readonly balances?: { readonly owner: string; readonly operator: string };
  readonly health: Health;
}

export function statusReport(sources: OperatorSources): StatusReport {
  const { config, facts, seen } = sources;
  const { name, nodeCertificate } = sources.identity();
  const { openBids } = sources.inventory();
  const [balances, registry, plane, engine] = [
    facts.get('balances'),
    facts.get('registry'),
    facts.get('plane'),
    facts.get('engine'),
  ];
  const { startedMs: _started, ...process_ } = plane ?? { up: false };
  return {
    provider: name.provider,
    node: name.nodeId,
    operator: sources.operator,
    pid: process.pid,
    started_at: new Date(sources.startedMs).toISOString(),
    host: hostUri(config),
    host_port: sources.hostPort,
    gateway: gatewayUri(config),
    ...(registry === undefined ? {} : { registered: registry.provider !== undefined }),
    height: seen.height.toString(),
    chain: chainOf(sources),
    ...viewOf(sources),
    draining: sources.isDraining(),
    leases: sources.leases().length,
    open_bids: openBids,
    data_plane: process_,
    ...(engine === undefined ? {} : { engine }),
    certificates: expiriesOf(sources).map(({ kind, level, text }) => ({ kind, level, text })),
    node_certificate_ends_at: new Date(nodeCertificate.notAfterMs).toISOString(),
    ...(balances === undefined ? {} : { balances: { owner: `${balances.owner}`, operator: `${balances.operator}` } }),
    health: health(healthInput(sources)),
  };
}

function chainOf({ config, facts }: OperatorSources): StatusReport['chain'] {
  const node = facts.get('node');
  const trouble = facts.trouble('node');
  return {
    id: config.chain.id,
    ...(node === undefined
      ? {}
      : {
          node_height: node.height,
          block_time: new Date(node.blockTimeMs).toISOString(),
          catching_up: node.catchingUp,
        }),
    ...(trouble === undefined ? {} : { trouble }),
  };
}

function viewOf({ facts, now }: OperatorSources): Pick<StatusReport, 'view'> {
  const view = facts.get('view');
  if (view === undefined) return {};
  return { view: { height: view.height, age_seconds: Math.max(0, Math.round((now() - view.blockTimeMs) / 1000)) } };
}

export function expiriesOf({ identity, facts, seen, now }: OperatorSources) {
  const height = seen.height > 0n ? seen.height : BigInt(facts.get('node')?.height ?? 0);
  return expiries({ identity: identity(), registry: facts.get('registry'), height, nowMs: now() });
}

/** Blocks since the oldest confirmation became due. @returns 0n where none is late */
export function lateBlocks({ leases, seen, config }: OperatorSources): bigint {
  return leases().reduce((most, { paidThrough, createdHeight, state }) => {
    // Nothing is lost by one that is out of funds: it cannot be broken.
    if (state === LeaseState.LEASE_STATE_OUT_OF_FUNDS) return most;
    const last = paidThrough > createdHeight ? paidThrough : createdHeight;
    const late = seen.height - last - config.bidding.confirmEveryBlocks;
    return late > most ? late : most;
  }, 0n);
}

export function healthInput(sources: OperatorSources): HealthInput {
  const { config, facts, now, seen } = sources;
  return {
    nowMs: now(),
    node: facts.get('node'),
    nodeTrouble: facts.trouble('node'),
    view: facts.get('view'),
    maxViewAgeMs: config.trust.maxViewAgeS * 1000,
    plane: facts.get('plane'),
    engine: facts.get('engine'),
    offersContainers: config.offer.services.includes('mu-workload'),
    lateBlocks: lateBlocks(sources),
    expiries: expiriesOf(sources),
    hasSeenBlock: seen.height > 0n,
  };
}

/** As the data plane knows leases, not their services: what it serves of one counts as one service of this name. */
export const planePart = 'the data plane’s part';

/** Where work stands of which something has to run. */
const serving: readonly string[] = ['running', 'updating'];

/** The inventory, and how what runs differs from what should. Never throws: what cannot be looked at is said. */
export async function inventoryView(sources: OperatorSources): Promise<InventoryReport> {
  const { machine, leases, leaseStatus, running, served, foundContainers } = sources;
  const unseen: string[] = [];
  const ask = async <T>(what: string, answer: () => Promise<readonly T[]>): Promise<readonly T[] | undefined> => {
    try {
      return await answer();
    } catch (error) {
      unseen.push(`${what} cannot be looked at: ${messageOf(error)}`);
      return undefined;
    }
  };
  const [plane, containers] = await Promise.all([
    ask('the data plane', served),
    ask('the container engine', foundContainers),
  ]);
  const expected = leases().map(({ number }) => {
    const own = running(number)?.plan.containers ?? [];
    return {
      lease: number,
      runs: serving.includes(leaseStatus(number)?.work ?? ''),
      // Where one side cannot be looked at nothing of it is missed.
      services: [
        ...(plane === undefined ? [] : [planePart]),
        ...(containers === undefined ? [] : own.map(({ service }) => service)),
      ],
    };
  });
  const found: WorkloadName[] = [
    ...(plane ?? []).map((deployment) => ({ deployment, service: planePart })),
    ...(containers ?? []),
  ];
  const report = inventoryReport(machine, sources.inventory(), reconcile(expected, found));
  return { ...report, differences: [...report.differences, ...unseen] };
}
