/** `mu-provider status | leases | inventory`: what the daemon says, and what the chain says, as far as either answers. */

import { join } from 'node:path';
import { fields, table } from '@mu/lib/columns';
import { messageOf } from '@mu/lib/error-message';
import { ProviderState } from '@mu/proto/provider';
import { type InventoryReport, inventoryTable } from '../../bidding/report.ts';
import type { ProviderConfig } from '../../config/schema.ts';
import { planeFiles, planeSettings } from '../../data-plane/settings.ts';
import { connectChain } from '../../setup/connect.ts';
import { gatewayUri, hostUri } from '../../setup/places.ts';
import { askDaemon, askIfThere } from '../admin-client.ts';
import { isDraining } from '../drain.ts';
import { chainSide, type LeaseReport } from '../lease-report.ts';
import { isListening } from '../processes.ts';
import { adminSocket } from '../servers.ts';
import type { StatusReport } from '../view.ts';
import { type ChainSide, chainSideOf, fundedTo, selfOf } from './provider-chain.ts';

const yesNo = (is: boolean): string => (is ? 'yes' : 'no');

/** A result, and how it reads. */
export interface Shown {
  readonly value: unknown;
  readonly text: () => string;
}

const states: Readonly<Record<number, string>> = {
  [ProviderState.PROVIDER_STATE_ACTIVE]: 'active',
  [ProviderState.PROVIDER_STATE_LEAVING]: 'leaving',
  [ProviderState.PROVIDER_STATE_GONE]: 'gone',
};

/** @throws Error where not even the provider's own files can be read */
export async function showStatus(config: ProviderConfig): Promise<Shown> {
  const self = selfOf(config);
  const socket = adminSocket(config.node.dataFolder);
  const [daemon, chain, planeListens] = await Promise.all([
    askIfThere<StatusReport>(socket, 'GET /status'),
    onChain(config, (client) => chainSideOf(client, self, config.chain.denom)),
    isListening(join(planeSettings(config).folder, planeFiles.socket)),
  ]);
  const known = 'trouble' in chain ? undefined : chain;
  const provider = known?.registry.provider;
  const value = {
    provider: self.name.provider,
    operator: self.operator,
    node: self.name.nodeId,
    ...('trouble' in chain
      ? { chain_trouble: chain.trouble }
      : {
          registered: provider !== undefined,
          ...(provider === undefined ? {} : { state: states[provider.state] ?? 'unknown' }),
          ...(provider === undefined || provider.unbondingHeight === 0n
            ? {}
            : { deposit_returns_at: provider.unbondingHeight }),
          height: chain.height,
          balances: chain.balances,
          open_bids: chain.openBids.length,
          leases: chain.leases.map(({ number, order, endpoints }) => ({
            lease: number,
            owner: order?.owner,
            dseq: order?.dseq,
            endpoints,
          })),
        }),
    host: hostUri(config),
    gateway: gatewayUri(config),
    draining: isDraining(config.node.dataFolder),
    daemon: daemon === undefined ? { up: false } : daemonSide(daemon),
    data_plane: daemon?.data_plane ?? { up: planeListens === true },
  };
  return { value, text: () => statusText(value, known, daemon) };
}

function daemonSide({ pid, started_at, height, health, node_certificate_ends_at, certificates }: StatusReport) {
  return { up: true, pid, started_at, height, health, node_certificate_ends_at, certificates };
}

function statusText(
  value: {
    readonly provider: string;
    readonly host: string;
    readonly gateway: string;
    readonly draining: boolean;
    readonly data_plane: { readonly up: boolean };
  },
  chain: ChainSide | undefined,
  daemon: StatusReport | undefined,
): string {
  const { health } = daemon ?? {};
  const lines = fields({
    provider: value.provider,
    registered: chain && yesNo(chain.registry.provider !== undefined),
    height: chain?.height ?? 'the chain does not answer',
    host: value.host,
    gateway: value.gateway,
    leases: chain?.leases.length,
    'open bids': chain?.openBids.length,
    'owner has': chain?.balances.owner,
    'operator has': chain?.balances.operator,
    draining: yesNo(value.draining),
    daemon: daemon === undefined ? 'does not run' : `process ${daemon.pid} since ${daemon.started_at}`,
    'data plane': value.data_plane.up ? 'serves' : 'does not run',
    certificate: daemon && `ends at ${daemon.node_certificate_ends_at}`,
  });
  const wrong = (health?.checks ?? []).filter(({ ok }) => !ok).map(({ name, message }) => `${name}: ${message}`);
  return [lines, ...wrong].join('\n');
}

/** From the daemon; where none runs, what the chain knows of the leases. @throws Error where neither answers */
export async function showLeases(config: ProviderConfig): Promise<Shown> {
  const running = await askIfThere<{ leases: LeaseReport[] }>(adminSocket(config.node.dataFolder), 'GET /leases');
  if (running !== undefined) {
    const value = { daemon: true, leases: running.leases };
    return { value, text: () => leasesText(running.leases) };
  }
  const leases = await leasesByChain(config);
  return { value: { daemon: false, leases }, text: () => `the daemon does not run\n${leasesText(leases)}` };
}

type ChainLease = ReturnType<typeof chainSide> & { readonly endpoints: readonly string[]; readonly funded_to?: string };

/** @throws Error where the chain does not answer */
export async function leasesByChain(config: ProviderConfig): Promise<ChainLease[]> {
  const self = selfOf(config);
  const client = await connectChain(config);
  try {
    const { leases } = await chainSideOf(client, self, config.chain.denom);
    return await Promise.all(
      leases.map(async (lease) => {
        const funded = await fundedTo(client, lease);
        return {
          ...chainSide(lease),
          endpoints: lease.endpoints,
          ...(funded === undefined ? {} : { funded_to: funded.toString() }),
        };
      }),
    );
  } finally {
    client.disconnect();
  }
}

export function leasesText(leases: readonly (ChainLease & Partial<LeaseReport>)[]): string {
  const rows = leases.map((one) => [
    one.lease,
    one.state,
    one.work ?? '',
    `${one.owner}/${one.dseq}`,
    one.paid_through,
    one.leave_height ?? one.funded_to ?? '',
    one.reason ?? one.endpoints.join(' '),
  ]);
  return table(['lease', 'state', 'work', 'deployment', 'paid to', 'until', 'answers at'], rows);
}

/** @throws DaemonAway: only the daemon knows what is reserved and what runs */
export async function showInventory(config: ProviderConfig): Promise<Shown> {
  const report = await askDaemon<InventoryReport>(adminSocket(config.node.dataFolder), 'GET /inventory');
  return { value: report, text: () => inventoryTable(report) };
}

async function onChain<T>(
  config: ProviderConfig,
  ask: (client: Awaited<ReturnType<typeof connectChain>>) => Promise<T>,
): Promise<T | { readonly trouble: string }> {
  try {
    const client = await connectChain(config);
    try {
      return await ask(client);
    } finally {
      client.disconnect();
    }
  } catch (error) {
    return { trouble: messageOf(error) };
  }
}
