/** Mu behind CometBFT, as `scripts/localnet` starts it. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import { addAccount } from '@mu/app/node/genesis';
import { createLocalnet, editGenesis } from '../../lib/localnet/create.ts';
import { type Localnet, type NodeLayout, nodeHome, rpcOf } from '../../lib/localnet/layout.ts';
import { killNode, programsOf, startPrograms, stopNode } from '../../lib/localnet/node.ts';
import { pidOf } from '../../lib/localnet/processes.ts';
import { editToml, type TomlValue } from '../../lib/localnet/toml.ts';
import { addManyAccounts, writeAccounts } from './many-accounts.ts';
import type { Programs } from './programs.ts';
import { blockBytes, chainId, engineSettings, hurrySettings, mnemonic, type Side, type SideOptions } from './side.ts';
import { untilAbove } from './until.ts';

const [prefix, denom] = ['mu', 'umu'];
const funds = `1000000000000000${denom}`;

export async function muSide(programs: Programs, options: SideOptions): Promise<Side> {
  const net = await createLocalnet({
    home: options.folder,
    validators: 1,
    cometbft: programs.cometbft,
    chainId,
    engineSettings,
    settings: { 'node.log_level': 'warn' },
  });
  const [payer] = await (await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix })).getAccounts();
  if (payer === undefined) throw new Error('the test words give no account');
  editGenesis(net, (genesis) => {
    const params = genesis.consensus_params as { block: Record<string, string> };
    params.block = { ...params.block, max_bytes: `${blockBytes}`, max_gas: '-1' };
    return addAccount(genesis, payer.address, funds);
  });
  const node = net.nodes[0] as NodeLayout;
  if (options.accounts > 0) {
    const file = `${options.folder}.accounts`;
    addManyAccounts(nodeHome(net, node), writeAccounts(programs.peerload, file, options.accounts, prefix, denom));
  }
  return side(net, node, programs, options.accounts);
}

function side(net: Localnet, node: NodeLayout, { cometbft }: Programs, filled: number): Side {
  const rpc = rpcOf(node);
  const { app, engine } = programsOf(net, node);
  return {
    name: 'mu',
    rpc,
    prefix,
    denom,
    filled,
    pids: () => ({ app: pidOf(app) as number, comet: pidOf(engine) as number }),
    async start(above) {
      const begin = performance.now();
      await startPrograms(net, node, cometbft);
      await untilAbove(rpc, above);
      return performance.now() - begin;
    },
    abci: `tcp://127.0.0.1:${node.ports.abci}`,
    hurry: () => changeConfig(join(nodeHome(net, node), 'config', 'config.toml'), hurrySettings),
    kill: () => killNode(net, node),
    stop: () => stopNode(net, node),
    diskBytes: () => bytesOf(nodeHome(net, node)),
  };
}

/** Changes values of CometBFT's config. */
export function changeConfig(file: string, values: Readonly<Record<string, TomlValue>>): void {
  writeFileSync(file, editToml(readFileSync(file, 'utf8'), values));
}

export function bytesOf(folder: string): number {
  return Number(execFileSync('du', ['-sb', folder], { encoding: 'utf8' }).split('\t')[0]);
}
