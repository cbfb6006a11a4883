/** The doctor's own eyes: this machine, the node, the daemon's socket. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { unlessMissing } from '@mu/client/chain/errors';
import { Keystore } from '@mu/client/keys/keystore';
import { pino } from 'pino';
import { readPassword } from '../../config/config.ts';
import type { ProviderConfig } from '../../config/schema.ts';
import { loadIdentity } from '../../identity/identity.ts';
import { openJournal } from '../../journal/journal.ts';
import { connectChain, openViews } from '../../setup/connect.ts';
import { identityFolder } from '../../setup/places.ts';
import { deviceFile } from '../../workloads/container/devices.ts';
import { detectIsolation } from '../../workloads/isolation.ts';
import { askIfThere } from '../admin-client.ts';
import { askRegistry } from '../asking.ts';
import { isListening, openFileLimits } from '../processes.ts';
import { adminSocket } from '../servers.ts';
import type { StatusReport } from '../view.ts';
import { engineLook } from './engine-probe.ts';
import { certificateEnd, clockOf, httpStatus, portState, tlsFingerprint } from './net-probes.ts';
import type { ChainEntries, NodeLink, Probes } from './probes.ts';

const programMs = 10_000;
const run = promisify(execFile);

export interface HostProbes extends Probes {
  close(): void;
}

/** What several checks look at is looked at once. */
export function hostProbes(config: ProviderConfig): HostProbes {
  const { dataFolder } = config.node;
  const client = once(() => connectChain(config));
  const opened: { disconnect(): void }[] = [];
  const connected = once(async () => {
    const found = await client();
    opened.push(found);
    return found;
  });
  const password = once(async () => readPassword(config));
  const keys = new Keystore(config.keys.folder, config.chain.prefix);
  return {
    now: Date.now,
    daemon: once(() => askIfThere<StatusReport>(adminSocket(dataFolder), 'GET /status')),
    mode: async (path) => (await stat(path).catch(() => undefined))?.mode,
    unlock: perName(async (name) => {
      const [account] = await (await keys.unlock(name, await password())).getAccounts();
      return account?.address ?? '';
    }),
    identity: once(async () => loadIdentity(identityFolder(config))),
    node: once(async () => nodeLink(await connected(), config.chain.rpcUrl)),
    provedBlock: async () => {
      const chain = await connected();
      const { settled } = await openViews(config, chain, pino({ level: 'silent' }));
      const height = await settled.height();
      const { header } = await chain.comet.commit(height);
      return { height, blockTimeMs: header.time.getTime() };
    },
    entries: once(async () => {
      const { provider, nodeId } = loadIdentity(identityFolder(config)).name;
      const operator = keys.show(config.keys.operator).address;
      return entriesOf(await connected(), { owner: provider, operator, nodeId, denom: config.chain.denom });
    }),
    port: portState,
    tlsFingerprint,
    httpStatus,
    certificateEnd,
    engine: engineLook,
    run: async (program, args) => (await run(program, [...args], { timeout: programMs })).stdout,
    writable: async (folder) => {
      const own = await mkdtemp(join(folder, '.doctor-'));
      await writeFile(join(own, 'file'), 'x');
      await rm(own, { recursive: true });
    },
    freeBytes: async (folder) => {
      const { bavail, bsize } = await statfs(folder, { bigint: true });
      return bavail * bsize;
    },
    journal: async ({ name }) => openJournal(join(dataFolder, 'journal'), name).close(),
    exists: async (path) => (await stat(path).catch(() => undefined)) !== undefined,
    device: deviceFile,
    openFiles: openFileLimits,
    isolation: detectIsolation,
    listens: isListening,
    isRoot: () => process.getuid?.() === 0,
    close: () => {
      for (const one of opened) one.disconnect();
    },
  };
}

type Client = Awaited<ReturnType<typeof connectChain>>;

async function nodeLink(client: Client, rpcUrl: string): Promise<NodeLink> {
  const { latestBlockHeight, latestBlockTime, catchingUp } = (await client.comet.status()).syncInfo;
  const clock = await clockOf(rpcUrl, Date.now);
  return {
    chainId: client.chainId,
    height: latestBlockHeight,
    blockTimeMs: latestBlockTime.getTime(),
    catchingUp,
    ...(clock === undefined ? {} : { clock }),
  };
}

async function entriesOf(
  client: Client,
  of: { readonly owner: string; readonly operator: string; readonly nodeId: string; readonly denom: string },
): Promise<ChainEntries> {
  const { owner, operator, nodeId, denom } = of;
  const [registry, priceList, params, owned, operators] = await Promise.all([
    askRegistry(client, owner, nodeId),
    latestPrices(client, owner),
    client.provider.params({}),
    client.balance(owner, denom),
    client.balance(operator, denom),
  ]);
  const deposit = BigInt(params.params?.deposit?.amount ?? '0');
  return { ...registry, priceList, deposit, balances: { owner: owned, operator: operators } };
}

async function latestPrices(client: Client, owner: string): Promise<ChainEntries['priceList']> {
  return (await unlessMissing(client.provider.priceList({ owner, version: 0n })))?.priceList;
}

function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask();
    return answer;
  };
}

function perName<T>(ask: (name: string) => Promise<T>): (name: string) => Promise<T> {
  const answers = new Map<string, Promise<T>>();
  return (name) => {
    const answer = answers.get(name) ?? ask(name);
    answers.set(name, answer);
    return answer;
  };
}
