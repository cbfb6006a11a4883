/** A node without data comes back by state sync: a snapshot of its peers' state, checked against the light client. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@mu/e2e/process';
import { type Localnet, type NodeLayout, nodeHome, rpcOf } from './layout.ts';
import { startPrograms } from './node.ts';
import { blockMetas, syncInfo } from './rpc.ts';
import { editToml, type TomlValue } from './toml.ts';

function configure(net: Localnet, node: NodeLayout, values: Readonly<Record<string, TomlValue>>): void {
  const file = join(nodeHome(net, node), 'config', 'config.toml');
  writeFileSync(file, editToml(readFileSync(file, 'utf8'), values));
}

/** A block that all of the nodes have, and its hash: what an operator would take from somebody he trusts. */
async function trustedBlock(nodes: readonly NodeLayout[]): Promise<{ readonly height: number; readonly hash: string }> {
  const syncs = await Promise.all(nodes.map((node) => syncInfo(rpcOf(node), 5000)));
  const height = Math.max(1, ...syncs.map((sync) => Number(sync?.earliest_block_height ?? 1)));
  const [meta] = await blockMetas(rpcOf(nodes[0] as NodeLayout), height, height);
  return { height, hash: meta?.hash ?? '' };
}

/**
 * Starts a wiped node with state sync and waits until it has taken a snapshot. The others must run and have snapshots.
 * @throws Error when it does not come, or comes by other means
 */
export async function startByStateSync(
  net: Localnet,
  node: NodeLayout,
  cometbft: string,
  signal?: AbortSignal,
): Promise<void> {
  const peers = net.nodes.filter((other) => other !== node);
  const { height, hash } = await trustedBlock(peers);
  configure(net, node, {
    'statesync.enable': true,
    'statesync.rpc_servers': peers.map(rpcOf).join(','),
    'statesync.trust_height': height,
    'statesync.trust_hash': hash,
    // The least that CometBFT takes.
    'statesync.discovery_time': '5s',
  });
  try {
    await startPrograms(net, node, cometbft, signal);
    const first = await eventually(
      `state sync of ${node.name}`,
      async () => {
        signal?.throwIfAborted();
        const sync = await syncInfo(rpcOf(node));
        return Number(sync?.latest_block_height ?? 0) > 0 ? Number(sync?.earliest_block_height) : undefined;
      },
      90_000,
    );
    if (first <= 1) throw new Error(`${node.name} has block ${first}: it did not come back by state sync`);
  } finally {
    // With state of its own CometBFT passes over it; and a wiped node shall come back by block sync again.
    configure(net, node, { 'statesync.enable': false });
  }
}
