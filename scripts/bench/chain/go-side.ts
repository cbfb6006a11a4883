/** The Go chain behind CometBFT, as its own `run.sh` sets it up, with the engine's settings of the other side. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@mu/e2e/process';
import { freePorts } from '../../lib/localnet/ports.ts';
import { writeAccounts } from './many-accounts.ts';
import { bytesOf, changeConfig } from './mu-side.ts';
import type { Programs } from './programs.ts';
import { blockBytes, engineSettings, hurrySettings, mnemonic, type Side, type SideOptions } from './side.ts';
import { untilAbove } from './until.ts';

const [prefix, denom] = ['cosmos', 'stake'];

export async function goSide(programs: Programs, options: SideOptions): Promise<Side> {
  const [rpc = 0, p2p = 0, grpc = 0, api = 0, abci = 0] = await freePorts(5);
  const env = {
    ...process.env,
    PEERD: programs.peerd,
    COMETBFT: programs.cometbft,
    HOME_DIR: options.folder,
    MODE: 'socket',
    RPC_PORT: `${rpc}`,
    P2P_PORT: `${p2p}`,
    GRPC_PORT: `${grpc}`,
    API_PORT: `${api}`,
    ABCI_ADDR: `tcp://127.0.0.1:${abci}`,
    BLOCK_MAX_BYTES: `${blockBytes}`,
    MNEMONIC: mnemonic,
    ...accountsFile(programs, options),
  };
  execFileSync('bash', [programs.runScript, 'init'], { env, stdio: 'ignore' });
  configureEngine(programs, join(options.folder, 'comet'), { rpc, p2p, abci });
  return side(programs, options, env, `http://127.0.0.1:${rpc}`);
}

function accountsFile({ peerload }: Programs, { folder, accounts }: SideOptions): Record<string, string> {
  if (accounts === 0) return {};
  return { ACCOUNTS_FILE: writeAccounts(peerload, `${folder}.accounts`, accounts, prefix, denom) };
}

/** CometBFT's own defaults and the settings of both sides, in place of what the SDK writes. */
function configureEngine(
  { cometbft }: Programs,
  home: string,
  ports: { readonly rpc: number; readonly p2p: number; readonly abci: number },
): void {
  const file = join(home, 'config', 'config.toml');
  execFileSync('rm', [file]);
  execFileSync(cometbft, ['init', '--home', home], { stdio: 'ignore' });
  const values = {
    proxy_app: `tcp://127.0.0.1:${ports.abci}`,
    log_level: 'main:info,state:info,blocksync:info,statesync:info,*:error',
    'rpc.laddr': `tcp://127.0.0.1:${ports.rpc}`,
    'rpc.pprof_laddr': '',
    'p2p.laddr': `tcp://127.0.0.1:${ports.p2p}`,
    'instrumentation.prometheus': false,
    ...engineSettings,
  };
  changeConfig(file, values);
}

function side(
  programs: Programs,
  { folder: home, accounts: filled }: SideOptions,
  env: NodeJS.ProcessEnv,
  rpc: string,
): Side {
  const pidIn = (name: string): number => Number(readFileSync(join(home, `${name}.pid`), 'utf8'));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    for (const name of ['comet', 'peerd']) {
      if (!existsSync(join(home, `${name}.pid`))) continue;
      const pid = pidIn(name);
      if (isAlive(pid)) process.kill(pid, signal);
      // CometBFT does not always end by itself once its application is gone.
      await eventually(`the end of ${name}`, async () => (isAlive(pid) ? undefined : true), 10_000).catch(() => {
        if (isAlive(pid)) process.kill(pid, 'SIGKILL');
      });
    }
  };
  return {
    name: 'go',
    rpc,
    prefix,
    denom,
    filled,
    pids: () => ({ app: pidIn('peerd'), comet: pidIn('comet') }),
    async start(above) {
      const begin = performance.now();
      const log = openSync(join(home, 'log'), 'a');
      spawn('bash', [programs.runScript, 'start'], { env, stdio: ['ignore', log, log] });
      await untilAbove(rpc, above);
      return performance.now() - begin;
    },
    abci: env['ABCI_ADDR'] as string,
    hurry: () => changeConfig(join(home, 'comet', 'config', 'config.toml'), hurrySettings),
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    diskBytes: () => bytesOf(join(home, 'data')) + bytesOf(join(home, 'comet', 'data')),
  };
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
