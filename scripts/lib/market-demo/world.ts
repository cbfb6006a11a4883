/** The chain of the market's demo: a node of its own, parameters that make a minute enough, and who takes part. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { Network } from '@mu/e2e/network';
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { Actor, Provider } from './actors.ts';

/** What the commission is paid to. */
const community = toBech32('mu', moduleAddress('market demo community'));

/** Blocks after which things happen here; on a real chain they are hours. */
export const blocks = { wait: 12n, confirm: 24n, notice: 40n, window: 8n, runway: 20n } as const;

export interface World {
  readonly network: Network;
  readonly client: ChainClient;
  readonly users: readonly [Actor, Actor];
  /** Aurora, Boreal, Cirrus, Delta, Echo */
  readonly providers: readonly [Provider, Provider, Provider, Provider, Provider];
  readonly community: string;
}

const blockMs = 250;

/** Parameters of genesis: short times, a commission of 5 %, and interest of 10 % a year. */
function shorten(appState: Record<string, Record<string, unknown>>): void {
  const change = (module: string, params: object): void => {
    const state = appState[module] as Record<string, unknown>;
    state['params'] = { ...(state['params'] as object), ...params };
  };
  change('market', {
    confirmation_blocks: `${blocks.confirm}`,
    reconfirmation_blocks: `${blocks.confirm}`,
    young_lease_blocks: '0',
    leave_notice_blocks: `${blocks.notice}`,
    collateral_user_share: '0.800000000000000000',
    interest_rate: '0.100000000000000000',
    max_interest_per_year: '1000000',
    blocks_per_year: `${(31_557_600n * 1000n) / BigInt(blockMs)}`,
  });
  change('billing', {
    min_runway_blocks: `${blocks.runway}`,
    usage_window_blocks: `${blocks.window}`,
    commission_rate: '0.050000000000000000',
    commission_account: community,
  });
}

export function makeNetwork(): Network {
  return new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-market-')),
    chainId: `mu-market-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: blockMs,
    genesis: shorten,
  });
}

/** Starts the chain; everybody has an account, and the providers stand in the registry. */
export async function startWorld(network: Network): Promise<World> {
  const users = [new Actor('Ada'), new Actor('Bob')] as const;
  const [aurora, boreal, cirrus, delta, echo] = ['Aurora', 'Boreal', 'Cirrus', 'Delta', 'Echo'].map(
    (name) => new Provider(name),
  ) as [Provider, Provider, Provider, Provider, Provider];
  const providers = [aurora, boreal, cirrus, delta, echo] as const;
  await network.initChain();
  for (const { address } of [...users, ...providers]) await network.addAccount(address);
  await network.startChain();
  await network.untilHeight(1);
  const client = await network.client();
  for (const actor of [...users, ...providers]) await actor.connect(client);
  await Promise.all(providers.map((provider) => provider.register('0.5')));
  return { network, client, users, providers, community };
}
