/**
 * Ways between the containers of one lease (design §7): each peer that a workload may call has an address of the host in
 * the caller's own network, at which the data plane listens on the peer's behalf, and a name in the caller's resolver.
 */
import type { ServedNames, ServedRelay, ServedWays } from '../data-plane/plane.ts';
import { type Networks, type OfferedService, wishOf } from '../network/networks.ts';
import type { LeasePlan } from './plan.ts';

/** Makes the callers' networks, and opens the ways in them. */
export async function localWays(plan: LeasePlan, networks: Networks): Promise<ServedWays> {
  const relays: ServedRelay[] = [];
  const names: ServedNames[] = [];
  for (const caller of plan.containers) {
    const peers = caller.peers ?? [];
    const { gateway, peerAddresses } = await networks.ensure(caller, wishOf(caller));
    const addresses = new Map(peers.map((peer, i) => [peer, peerAddresses[i] as string]));
    const own = plan.connections.filter((one) => one.caller === caller.service);
    const opened = own.map(({ callee, port, protocol }): ServedRelay => {
      const listen = { address: addresses.get(callee) as string, port };
      return { listen, protocol, to: { service: callee, port }, metered: false };
    });
    await networks.offer(caller, opened.map(offerOf));
    relays.push(...opened);
    names.push({ address: gateway, names: Object.fromEntries(addresses), egress: caller.egress });
  }
  return { relays, names };
}

const offerOf = ({ listen, protocol }: ServedRelay): OfferedService => ({ ...listen, protocol });
