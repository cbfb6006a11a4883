/** A machine where all is well, for the doctor; tests change what he sees. */
import { createHash } from 'node:crypto';
import type { Identity } from '../../src/identity/identity.ts';
import type { ChainEntries, EngineLook, NodeLink, Probes } from '../../src/operators/doctor/probes.ts';
import { type StatusReport, statusReport } from '../../src/operators/view.ts';
import { configIn, factsOf, identityIn, nowMs, operator, owner, sourcesOf, testFolder } from './fixture.ts';

export const gib = 1n << 30n;
export const genesisHash = 'ab'.repeat(32);
/** Everything is offered and set that a check looks at. */
export const full = `services = ["mu-function", "mu-workload"]
[trust]
genesis_hash = "${genesisHash}"
[metrics]
port = 9100
[capacity]
gpus = [
  { vendor = "nvidia", model = "a100", count = 1, devices = ["nvidia:0"] },
  { vendor = "amd", model = "mi300", count = 1, devices = ["/dev/dri/renderD128+/dev/kfd"] },
]
[gateway]
address = "127.0.0.1"
tls_cert = "door.pem"
tls_key = "door.key"
uri = "http://0.0.0.0:8080"
[host]
address = "127.0.0.1"
uri = "https://0.0.0.0:8443"
`;

interface Bench {
  folder: string;
  identity: Identity;
  status: StatusReport;
  remove: () => void;
}

/** Filled by `openBench`. */
export const bench = {} as Bench;

export async function openBench(): Promise<void> {
  const { folder, remove } = testFolder();
  const identity = await identityIn(folder);
  const status = statusReport(sourcesOf(configIn(folder, full), identity));
  Object.assign(bench, { folder, identity, status, remove });
}

export const node: NodeLink = {
  chainId: 'mu-1',
  height: 101,
  blockTimeMs: nowMs - 2_000,
  catchingUp: false,
  clock: { ms: nowMs, withinMs: 520 },
};

/** A node that tells no time. */
export const { clock: _clock, ...silent } = node;

export const engine: EngineLook = {
  apiVersion: '1.41',
  version: '20.10.24',
  seccomp: true,
  cgroupVersion: '1',
  storageDriver: 'overlay2',
  memoryLimit: true,
  pidsLimit: true,
  rootFolder: '/var/lib/docker',
  freeBytes: 50n * gib,
  liveRestore: true,
  runtimes: ['nvidia', 'runc'],
  nvidiaForAll: false,
};

export function entries(change: Partial<ChainEntries> = {}, more = full): ChainEntries {
  const config = configIn(bench.folder, more);
  const { registry, balances } = factsOf(config, bench.identity);
  return { ...registry, balances, priceList: undefined, deposit: 1_000_000n, ...change };
}

/** A machine where all is well. */
export function well(change: Partial<Probes> = {}): Probes {
  return {
    now: () => nowMs,
    daemon: async () => bench.status,
    mode: async () => 0o600,
    unlock: async (name) => (name === 'owner' ? owner : operator),
    identity: async () => bench.identity,
    node: async () => node,
    provedBlock: async () => ({ height: 100, blockTimeMs: nowMs - 3_000 }),
    entries: async () => entries(),
    port: async () => 'taken',
    tlsFingerprint: async () => createHash('sha256').update(bench.identity.nodeCertificate.der).digest('hex'),
    httpStatus: async () => 404,
    certificateEnd: async () => nowMs + 60 * 86_400_000,
    engine: async () => engine,
    run: async () => 'fine',
    writable: async () => {},
    freeBytes: async () => 100n * gib,
    journal: async () => {},
    exists: async () => true,
    device: async () => ({ openTo: { group: 105 } }),
    openFiles: async () => ({ soft: 1_024, hard: 1_048_576 }),
    isolation: async () => ({ networkNamespace: true, uid: 65_534, description: 'own process' }),
    listens: async () => true,
    isRoot: () => true,
    ...change,
  };
}

export const boom = (text: string) => async (): Promise<never> => {
  throw new Error(text);
};
