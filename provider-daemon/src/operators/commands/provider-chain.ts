/** What the chain says of a provider, for commands: as the node tells it, since they decide nothing by it. */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { allItems } from '@mu/client/chain/pages';
import { Keystore } from '@mu/client/keys/keystore';
import { type Fulfillment, FulfillmentState, type Lease, LeaseState } from '@mu/proto/market';
import type { ProviderConfig } from '../../config/schema.ts';
import { loadIdentity, type NodeName } from '../../identity/identity.ts';
import { identityFolder } from '../../setup/places.ts';
import { askRegistry } from '../asking.ts';
import type { Balances, Registry } from '../facts.ts';

/** Who a provider is, from its own files. */
export interface Self {
  readonly name: NodeName;
  /** address of the account that bids and reports */
  readonly operator: string;
}

/** @throws IdentityError, KeystoreError */
export function selfOf(config: ProviderConfig): Self {
  const keys = new Keystore(config.keys.folder, config.chain.prefix);
  return { name: loadIdentity(identityFolder(config)).name, operator: keys.show(config.keys.operator).address };
}

export interface ChainSide {
  readonly height: number;
  readonly registry: Registry;
  readonly balances: Balances;
  /** by their numbers */
  readonly leases: readonly Lease[];
  readonly openBids: readonly Fulfillment[];
}

/** @throws ChainError; Error of the connection */
export async function chainSideOf(client: ChainClient, { name, operator }: Self, denom: string): Promise<ChainSide> {
  const { provider, nodeId } = name;
  const [height, registry, leases, openBids, owned, operators] = await Promise.all([
    client.height(),
    askRegistry(client, provider, nodeId),
    liveLeases(client, provider),
    openBidsOf(client, provider),
    client.balance(provider, denom),
    client.balance(operator, denom),
  ]);
  return { height, registry, leases, openBids, balances: { owner: owned, operator: operators } };
}

/** Those that are active, and those that are out of funds. */
export async function liveLeases(client: ChainClient, provider: string): Promise<Lease[]> {
  const states = [LeaseState.LEASE_STATE_ACTIVE, LeaseState.LEASE_STATE_OUT_OF_FUNDS];
  const found = await Promise.all(
    states.map((state) =>
      allItems(
        (pagination) => client.market.leases({ provider, state, pagination }),
        (page) => page.leases,
      ),
    ),
  );
  return found.flat().sort((a, b) => (a.number < b.number ? -1 : 1));
}

export function openBidsOf(client: ChainClient, provider: string): Promise<Fulfillment[]> {
  const state = FulfillmentState.FULFILLMENT_STATE_OPEN;
  return allItems(
    (pagination) => client.market.fulfillments({ provider, state, pagination }),
    (page) => page.fulfillments,
  );
}

/** Last block that the funds of a lease's deployment pay; undefined where the chain does not tell. */
export async function fundedTo(client: ChainClient, { order }: Lease): Promise<bigint | undefined> {
  const { owner = '', dseq = 0n } = order ?? {};
  return client.billing.runway({ owner, dseq }).then(
    ({ height }) => height,
    () => undefined,
  );
}
