/**
 * Ways of the containers of one lease (design §7): each peer that a workload may call, of its own lease or of another
 * infrastructure, has an address of the host in the caller's own network, at which the data plane listens on the peer's
 * behalf, and a name in the caller's resolver.
 */
import { farName } from '../data-plane/links.ts';
import type { RelayTarget, ServedNames, ServedRelay, ServedWays } from '../data-plane/plane.ts';
import { type Networks, type OfferedService, wishOf } from '../network/networks.ts';
import type { ContainerPort } from '../workloads/driver.ts';
import type { LeasePlan } from './plan.ts';

interface Call {
  readonly callee: string;
  readonly port: number;
  readonly protocol: ContainerPort['protocol'];
  readonly to: RelayTarget;
}

/** Makes the callers' networks, and opens the ways in them. */
export async function containerWays(
  plan: Pick<LeasePlan, 'containers' | 'connections' | 'farCalls'>,
  networks: Networks,
): Promise<ServedWays> {
  const relays: ServedRelay[] = [];
  const names: ServedNames[] = [];
  for (const caller of plan.containers) {
    const peers = caller.peers ?? [];
    const { gateway, peerAddresses } = await networks.ensure(caller, wishOf(caller));
    const addresses = new Map(peers.map((peer, i) => [peer, peerAddresses[i] as string]));
    const opened = callsOf(caller.service, plan).map(({ callee, port, protocol, to }): ServedRelay => {
      const listen = { address: addresses.get(callee) as string, port };
      return { listen, protocol, to, metered: false };
    });
    await networks.offer(caller, opened.map(offerOf));
    relays.push(...opened);
    names.push({ address: gateway, names: Object.fromEntries(addresses), egress: caller.egress });
  }
  return { relays, names };
}

function callsOf(service: string, { connections, farCalls }: Pick<LeasePlan, 'connections' | 'farCalls'>): Call[] {
  return [
    ...connections
      .filter(({ caller }) => caller === service)
      .map(({ callee, port, protocol }) => ({ callee, port, protocol, to: { service: callee, port } })),
    ...farCalls
      .filter(({ caller }) => caller === service)
      .map(({ callee, connection, port, protocol }) => {
        const to = { far: farName(callee, connection), service: callee, caller: service };
        return { callee, port, protocol, to };
      }),
  ];
}

const offerOf = ({ listen, protocol }: ServedRelay): OfferedService => ({ ...listen, protocol });
