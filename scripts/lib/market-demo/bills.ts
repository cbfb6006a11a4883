/** Bills of the demo, recomputed as a user does who trusts nobody. */
import { listsOf } from '@mu/client/bill/collect';
import { type DeploymentBillCheck, verifyDeploymentBill } from '@mu/client/bill/deployment';
import { fetchGenesis, openProvedViews, type PinnableViews } from '@mu/client/light/connect';
import { genesisHash } from '@mu/client/light/trust-root';
import { toHex } from '@mu/lib/bytes';
import type { Actor } from './actors.ts';
import type { World } from './world.ts';

/** A light client that knows the chain by the hash of its genesis alone. */
export async function lightClient({ network, client }: World): Promise<PinnableViews> {
  const rpcUrl = network.rpc;
  const trust = {
    genesisHash: toHex(genesisHash(await fetchGenesis(rpcUrl))),
    height: 0n,
    hash: '',
    periodHours: 24,
    witnesses: [],
  };
  return openProvedViews({ rpcUrl, client, trust, folder: network.path('light') });
}

/** @throws Error with the first thing that is wrong */
export async function verifiedBill(views: PinnableViews, world: World, user: Actor): Promise<DeploymentBillCheck> {
  const { client } = world;
  const { state: records } = await views.pinned();
  const { chainId } = client;
  const check = await verifyDeploymentBill({ chainId, owner: user.address, dseq: 1n, records, lists: listsOf(client) });
  if (check === undefined) throw new Error(`${user.name} has no deployment`);
  const { fault } = check;
  if (fault !== undefined)
    throw new Error(
      `the bill of ${user.name} is wrong: lease ${fault.lease}, line ${fault.line}, ${fault.field}: ${fault.reason}`,
    );
  return check;
}
