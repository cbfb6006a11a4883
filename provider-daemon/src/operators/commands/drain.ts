/** `mu-provider drain [--off]`: no new leases; those that stand are kept. */
import { messageOf } from '@mu/lib/error-message';
import type { ProviderConfig } from '../../config/schema.ts';
import { askIfThere } from '../admin-client.ts';
import { isDraining, setDraining } from '../drain.ts';
import { adminSocket } from '../servers.ts';
import { leasesByChain, leasesText, type Shown } from './show.ts';

/** The file counts, whoever wrote it: a daemon that runs looks at it with each block, another one when it starts. */
export async function drain(config: ProviderConfig, draining: boolean): Promise<Shown> {
  const { dataFolder } = config.node;
  const route = draining ? 'POST /drain' : 'POST /undrain';
  const told = await askIfThere(adminSocket(dataFolder), route);
  if (told === undefined) setDraining(dataFolder, draining);
  const leases = await leasesByChain(config).then(
    (found) => ({ leases: found }),
    (error: unknown) => ({ leases: undefined, chain_trouble: messageOf(error) }),
  );
  const value = { draining: isDraining(dataFolder), daemon: told !== undefined, ...leases };
  return { value, text: () => drainText(value) };
}

function drainText({ draining, leases }: { draining: boolean; leases: Parameters<typeof leasesText>[0] | undefined }) {
  const said = draining ? 'no new leases are wanted; open bids are taken back' : 'new leases are wanted again';
  if (leases === undefined) return `${said}; the chain does not tell now what is leased`;
  if (leases.length === 0) return `${said}; nothing is leased`;
  return `${said}; still leased (until: when its funds end, or when this provider may leave):\n${leasesText(leases)}`;
}
