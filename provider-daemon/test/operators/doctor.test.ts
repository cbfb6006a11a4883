import { createHash } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Provider, ProviderState } from '@mu/proto/provider';
import { wireVersion } from '../../src/data-plane/wire.ts';
import type { Identity } from '../../src/identity/identity.ts';
import { checks, configFinding, diagnose, diagnosisText } from '../../src/operators/doctor/doctor.ts';
import type { Finding } from '../../src/operators/doctor/finding.ts';
import { olderThan } from '../../src/operators/doctor/machine-checks.ts';
import type { ChainEntries, EngineLook, NodeLink, Probes } from '../../src/operators/doctor/probes.ts';
import { type StatusReport, statusReport } from '../../src/operators/view.ts';
import {
  configIn,
  factsOf,
  identityIn,
  nodeOf,
  nowMs,
  operator,
  owner,
  providerOf,
  sourcesOf,
  testFolder,
} from './fixture.ts';

const gib = 1n << 30n;
const genesisHash = 'ab'.repeat(32);
/** Everything is offered and set that a check looks at. */
const full = `services = ["mu-function", "mu-workload"]
[trust]
genesis_hash = "${genesisHash}"
[metrics]
port = 9100
[gateway]
tls_cert = "door.pem"
uri = "http://0.0.0.0:8080"
[host]
uri = "https://0.0.0.0:8443"
`;

let own: ReturnType<typeof testFolder>;
let identity: Identity;
let status: StatusReport;

beforeAll(async () => {
  own = testFolder();
  identity = await identityIn(own.folder);
  status = statusReport(sourcesOf(configIn(own.folder, full), identity));
});
afterAll(() => own.remove());

const node: NodeLink = {
  chainId: 'mu-1',
  height: 101,
  blockTimeMs: nowMs - 2_000,
  catchingUp: false,
  clock: { ms: nowMs, withinMs: 520 },
};

/** A node that tells no time. */
const { clock: _clock, ...silent } = node;

const engine: EngineLook = {
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
};

function entries(change: Partial<ChainEntries> = {}, more = full): ChainEntries {
  const config = configIn(own.folder, more);
  const { registry, balances } = factsOf(config, identity);
  return { ...registry, balances, priceList: undefined, deposit: 1_000_000n, ...change };
}

/** A machine where all is well. */
function well(change: Partial<Probes> = {}): Probes {
  return {
    now: () => nowMs,
    daemon: async () => status,
    mode: async () => 0o600,
    unlock: async (name) => (name === 'owner' ? owner : operator),
    identity: async () => identity,
    node: async () => node,
    provedBlock: async () => ({ height: 100, blockTimeMs: nowMs - 3_000 }),
    entries: async () => entries(),
    port: async () => 'taken',
    tlsFingerprint: async () => createHash('sha256').update(identity.nodeCertificate.der).digest('hex'),
    httpStatus: async () => 404,
    certificateEnd: async () => nowMs + 60 * 86_400_000,
    engine: async () => engine,
    run: async () => 'fine',
    writable: async () => {},
    freeBytes: async () => 100n * gib,
    journal: async () => {},
    exists: async () => true,
    openFiles: async () => ({ soft: 1_024, hard: 1_048_576 }),
    isolation: async () => ({ networkNamespace: true, uid: 65_534, description: 'own process' }),
    listens: async () => true,
    isRoot: () => true,
    ...change,
  };
}

async function found(change: Partial<Probes> = {}, more = full): Promise<Map<string, Finding>> {
  const { findings } = await diagnose(configIn(own.folder, more), well(change));
  return new Map(findings.map((finding) => [finding.name, finding]));
}

const boom = (text: string) => async (): Promise<never> => {
  throw new Error(text);
};

test('where all is well every check says so', async () => {
  const { ok, findings } = await diagnose(configIn(own.folder, full), well());
  expect(findings.filter(({ result }) => result !== 'ok')).toEqual([]);
  expect(findings.map(({ name }) => name)).toEqual(checks.map(({ name }) => name));
  expect(ok).toBe(true);
});

test('what a provider does not offer is not looked at', async () => {
  const names = [...(await found({}, '[trust]\nnode = true\n')).keys()];
  for (const name of ['container engine', 'firewall', 'volumes', 'metrics port', 'gateway certificate', 'proofs']) {
    expect(names).not.toContain(name);
  }
});

/** Name of the check, what is seen, and what it must say. Everything else is well. */
const away = { daemon: async () => undefined } satisfies Partial<Probes>;
const cases: readonly (readonly [string, string, () => Partial<Probes>, 'warn' | 'fail', RegExp, RegExp])[] = [
  [
    'password',
    'missing',
    () => ({ mode: async (p) => (p.endsWith('password') ? undefined : 0o600) }),
    'fail',
    /not there/,
    /password_file/,
  ],
  [
    'password',
    'open to others',
    () => ({ mode: async (p) => (p.endsWith('password') ? 0o644 : 0o600) }),
    'fail',
    /others may read/,
    /chmod 600/,
  ],
  [
    'keys',
    'missing',
    () => ({ mode: async (p) => (p.endsWith('owner.json') ? undefined : 0o600) }),
    'fail',
    /the key owner is not in/,
    /your copy/,
  ],
  [
    'keys',
    'open to others',
    () => ({ mode: async (p) => (p.endsWith('operator.json') ? 0o640 : 0o600) }),
    'fail',
    /others may read .*operator/,
    /chmod 600/,
  ],
  [
    'keys',
    'another password',
    () => ({ unlock: boom('wrong password') }),
    'fail',
    /cannot be opened: wrong password/,
    /password/,
  ],
  [
    'identity',
    'of another chain',
    () => ({ identity: async () => ({ ...identity, name: { ...identity.name, chainId: 'other' } }) }),
    'fail',
    /of chain other/,
    /chain\.id/,
  ],
  [
    'identity',
    'of another node',
    () => ({ identity: async () => ({ ...identity, name: { ...identity.name, nodeId: 'n2' } }) }),
    'fail',
    /of node n2/,
    /node\.id to n2/,
  ],
  [
    'identity',
    'unreadable',
    () => ({ identity: boom('root.cert.pem cannot be read') }),
    'fail',
    /root\.cert\.pem/,
    /./,
  ],
  [
    'certificates',
    'over',
    () => ({ now: () => nowMs + 31 * 86_400_000 }),
    'fail',
    /TLS certificate ended at 2030-02-08.*-2 days/,
    /root\.key\.pem/,
  ],
  [
    'certificates',
    'not renewed',
    () => ({ now: () => nowMs + 25 * 86_400_000 }),
    'warn',
    /TLS certificate ends at 2030-02-08.*4 days/,
    /root\.key\.pem/,
  ],
  ['certificates', 'of the future', () => ({ now: () => nowMs - 86_400_000 }), 'fail', /in the future/, /clock/],
  [
    'gateway certificate',
    'over',
    () => ({ certificateEnd: async () => nowMs - 1 }),
    'fail',
    /ended at 2030-01-09/,
    /new certificate/,
  ],
  [
    'gateway certificate',
    'about to end',
    () => ({ certificateEnd: async () => nowMs + 86_400_000 }),
    'warn',
    /1 days/,
    /new certificate/,
  ],
  ['gateway certificate', 'none', () => ({ certificateEnd: boom('no PEM') }), 'fail', /no PEM/, /gateway\.tls_cert/],
  ['data folder', 'read-only', () => ({ writable: boom('EROFS') }), 'fail', /EROFS/, /data_folder/],
  ['data folder', 'full', () => ({ freeBytes: async () => gib / 2n }), 'fail', /512 MiB are free/, /make room/],
  ['data folder', 'nearly full', () => ({ freeBytes: async () => 2n * gib }), 'warn', /2048 MiB/, /capacity\.disk/],
  [
    'journal',
    'of another provider',
    () => ({ ...away, journal: boom('belongs to another') }),
    'fail',
    /belongs to another/,
    /data folder/,
  ],
  [
    'open files',
    'far too few',
    () => ({ openFiles: async () => ({ soft: 1_024, hard: 1_024 }) }),
    'fail',
    /1024 files/,
    /LimitNOFILE/,
  ],
  [
    'open files',
    'too few for a full gateway',
    () => ({ openFiles: async () => ({ soft: 4_096, hard: 8_192 }) }),
    'warn',
    /8192 files/,
    /LimitNOFILE/,
  ],
  ['chain', 'away', () => ({ node: boom('ECONNREFUSED') }), 'fail', /no node answers .*ECONNREFUSED/, /chain\.rpc_url/],
  [
    'chain',
    'of another id',
    () => ({ node: async () => ({ ...node, chainId: 'other' }) }),
    'fail',
    /of chain other, not mu-1/,
    /chain\.id/,
  ],
  ['chain', 'catching up', () => ({ node: async () => ({ ...node, catchingUp: true }) }), 'fail', /catches up/, /wait/],
  [
    'chain',
    'standing',
    () => ({ node: async () => ({ ...node, blockTimeMs: nowMs - 600_000 }) }),
    'fail',
    /600 s old/,
    /stands/,
  ],
  [
    'proofs',
    'refused',
    () => ({ provedBlock: boom('another genesis') }),
    'fail',
    /cannot be proved: another genesis/,
    /trust\.genesis_hash/,
  ],
  [
    'proofs',
    'old',
    () => ({ provedBlock: async () => ({ height: 5, blockTimeMs: nowMs - 700_000 }) }),
    'fail',
    /700 s old.*too old/,
    /max_view_age_s/,
  ],
  [
    'clock',
    'far behind the node',
    () => ({ node: async () => ({ ...node, clock: { ms: nowMs + 90_000, withinMs: 500 } }) }),
    'fail',
    /89\.5 s behind the node/,
    /chrony/,
  ],
  [
    'clock',
    'ahead of the node',
    () => ({ node: async () => ({ ...node, clock: { ms: nowMs - 10_500, withinMs: 500 } }) }),
    'warn',
    /10\.0 s ahead of the node/,
    /chrony/,
  ],
  [
    'clock',
    'behind the newest block',
    () => ({ node: async () => ({ ...silent, blockTimeMs: nowMs + 70_000 }) }),
    'fail',
    /70\.0 s behind the newest block/,
    /chrony/,
  ],
  [
    'funds',
    'nothing to register with',
    () => ({ entries: async () => entries({ provider: undefined, balances: { owner: 5n, operator: 900_000_000n } }) }),
    'fail',
    /the owner has 5 umu.*1000000/,
    /send at least 1002500 umu to mu1provider/,
  ],
  [
    'funds',
    'no fees',
    () => ({ entries: async () => entries({ balances: { owner: 5n, operator: 20_000n } }) }),
    'fail',
    /20000 umu, not enough for 10/,
    /leases are not confirmed/,
  ],
  [
    'funds',
    'few fees',
    () => ({ entries: async () => entries({ balances: { owner: 5n, operator: 2_000_000n } }) }),
    'warn',
    /not enough for 1000/,
    /send coins to mu1operator/,
  ],
  [
    'funds',
    'less than a collateral',
    () => ({ entries: async () => entries({ balances: { owner: 5n, operator: 50_000_000n } }) }),
    'warn',
    /max_collateral/,
    /max_collateral/,
  ],
  [
    'registration',
    'none',
    () => ({ entries: async () => entries({ provider: undefined }) }),
    'fail',
    /not on the chain/,
    /mu-provider register/,
  ],
  [
    'registration',
    'left',
    () => stated({ state: ProviderState.PROVIDER_STATE_LEAVING }),
    'fail',
    /has left/,
    /deposit has returned/,
  ],
  [
    'registration',
    'another host_uri',
    () => stated({ hostUri: 'https://old:1' }),
    'fail',
    /host_uri is https:\/\/old:1/,
    /register/,
  ],
  [
    'registration',
    'another gateway_uri',
    () => stated({ gatewayUri: 'http://old' }),
    'fail',
    /gateway_uri is http:\/\/old/,
    /register/,
  ],
  ['registration', 'other regions', () => stated({ regions: ['us'] }), 'fail', /regions are us/, /register/],
  ['registration', 'other services', () => stated({ services: ['mu-db'] }), 'fail', /services are mu-db/, /register/],
  [
    'registration',
    'other attributes',
    () => stated({ attributes: [{ key: 'tier', value: 'gold' }] }),
    'fail',
    /attributes differ/,
    /register/,
  ],
  [
    'registration',
    'another operator',
    () => stated({ operators: ['mu1else'] }),
    'fail',
    /mu1operator00000 is none of its operators/,
    /register/,
  ],
  ['registration', 'another root', () => stated({ roots: [] }), 'fail', /root certificate is not among/, /register/],
  [
    'registration',
    'another encryption key',
    () => stated({ encryptionKeys: [] }),
    'fail',
    /encryption key is not among/,
    /register/,
  ],
  [
    'registration',
    'another authority',
    () => stated({ nodeAuthorityKey: new Uint8Array(32) }),
    'fail',
    /node authority is another/,
    /register/,
  ],
  [
    'registration',
    'no node',
    () => ({ entries: async () => entries({ node: undefined }) }),
    'fail',
    /node node-1 is not on the chain/,
    /register/,
  ],
  [
    'registration',
    'a removed node',
    () => ofNode({ removedHeight: 9n }),
    'fail',
    /removed at height 9/,
    /another node\.id/,
  ],
  [
    'registration',
    'a node with another key',
    () => ofNode({ publicKey: new Uint8Array(32) }),
    'fail',
    /another key/,
    /node\.id/,
  ],
  ['registration', 'a node elsewhere', () => ofNode({ region: 'us' }), 'warn', /in region us/, /offer\.regions/],
  [
    'registration',
    'other prices',
    () => ({
      entries: async () =>
        entries({
          priceList: { provider: owner, version: 4n, prices: [{ metric: 'x', price: '1', per: 1n }], height: 1n },
        }),
    }),
    'fail',
    /version 4/,
    /publish/,
  ],
  ['daemon', 'away', () => away, 'warn', /does not run/, /mu-provider start/],
  [
    'daemon',
    'not well',
    () => ({
      daemon: async () => ({
        ...status,
        health: { ok: false, checks: [{ name: 'engine', ok: false, message: 'gone' }] },
      }),
    }),
    'fail',
    /engine: gone/,
    /log/,
  ],
  [
    'data plane',
    'away from its daemon',
    () => ({ daemon: async () => ({ ...status, data_plane: { up: false } }) }),
    'fail',
    /does not answer/,
    /data-plane\/log/,
  ],
  [
    'data plane',
    'of another version',
    () => ({ daemon: async () => ({ ...status, data_plane: { up: true, pid: 7, version: wireVersion + 1 } }) }),
    'fail',
    new RegExp(`version ${wireVersion + 1}`),
    /restart/,
  ],
  ['data plane', 'alone', () => away, 'warn', /serves on without a daemon/, /60 minutes/],
  ['host port', 'somebody else’s', () => away, 'fail', /another program listens at 0\.0\.0\.0:8443/, /host\.port/],
  [
    'host port',
    'not served',
    () => ({ port: async () => 'free' }),
    'fail',
    /nobody listens at 0\.0\.0\.0:8443/,
    /restart/,
  ],
  [
    'host port',
    'no address of ours',
    () => ({ port: async () => ({ refused: 'EADDRNOTAVAIL' }) }),
    'fail',
    /EADDRNOTAVAIL/,
    /host\.address/,
  ],
  [
    'gateway port',
    'somebody else’s',
    () => ({ listens: async () => false }),
    'fail',
    /another program listens at 0\.0\.0\.0:8080/,
    /gateway\.port/,
  ],
  [
    'metrics port',
    'somebody else’s',
    () => away,
    'fail',
    /another program listens at 127\.0\.0\.1:9100/,
    /metrics\.port/,
  ],
  ['host_uri', 'not tried', () => away, 'warn', /cannot be tried/, /start/],
  [
    'host_uri',
    'away',
    () => ({ tlsFingerprint: boom('timed out') }),
    'fail',
    /does not answer from here: timed out/,
    /DNS/,
  ],
  ['host_uri', 'somebody else', () => ({ tlsFingerprint: async () => '00' }), 'fail', /another certificate/, /proxy/],
  ['gateway_uri', 'not tried', () => ({ listens: async () => false }), 'warn', /cannot be tried/, /start/],
  ['gateway_uri', 'away', () => ({ httpStatus: boom('refused') }), 'fail', /does not answer from here: refused/, /DNS/],
  [
    'sandbox',
    'without a namespace',
    () => ({ isolation: async () => ({ networkNamespace: false, uid: 65_534, description: 'NO network' }) }),
    'warn',
    /no network namespace/,
    /unshare/,
  ],
  [
    'sandbox',
    'as the daemon’s user',
    () => ({ isolation: async () => ({ networkNamespace: true, uid: undefined, description: 'same user' }) }),
    'warn',
    /the daemon’s own user/,
    /root/,
  ],
  ['container engine', 'away', () => ({ engine: boom('ENOENT') }), 'fail', /no engine answers .*ENOENT/, /docker\.io/],
  ['container engine', 'too old', () => engineWith({ apiVersion: '1.40' }), 'fail', /1\.40, at least 1\.41/, /20\.10/],
  [
    'container engine',
    'without seccomp',
    () => engineWith({ seccomp: false }),
    'fail',
    /without seccomp/,
    /daemon\.json/,
  ],
  ['container engine', 'without limits', () => engineWith({ memoryLimit: false }), 'fail', /no limits/, /cgroup/],
  ['container engine', 'slow storage', () => engineWith({ storageDriver: 'vfs' }), 'warn', /vfs/, /overlay2/],
  [
    'container engine',
    'full',
    () => engineWith({ freeBytes: gib }),
    'fail',
    /1024 MiB are free at \/var\/lib\/docker/,
    /make room/,
  ],
  ['firewall', 'missing', () => ({ run: boom('ENOENT') }), 'fail', /nft does not work: ENOENT/, /nftables/],
  ['volumes', 'no root', () => ({ isRoot: () => false }), 'fail', /only root/, /as root/],
  [
    'volumes',
    'no loop devices',
    () => ({ exists: async (path) => path !== '/dev/loop-control' }),
    'fail',
    /no loop devices/,
    /modprobe loop/,
  ],
  [
    'volumes',
    'no mkfs',
    () => ({ run: async (p) => (p === 'mkfs.ext4' ? boom('ENOENT')() : '') }),
    'fail',
    /mkfs\.ext4 does not work/,
    /e2fsprogs/,
  ],
];

function stated(change: Partial<Provider>): Partial<Probes> {
  return {
    entries: async () =>
      entries({ provider: Provider.fromPartial({ ...providerOf(configIn(own.folder, full), identity), ...change }) }),
  };
}

function ofNode(change: Partial<ReturnType<typeof nodeOf>>): Partial<Probes> {
  return { entries: async () => entries({ node: { ...nodeOf(identity), ...change } }) };
}

const engineWith = (change: Partial<EngineLook>): Partial<Probes> => ({
  engine: async () => ({ ...engine, ...change }),
});

test.each(cases)('%s, %s: is found, with what to do', async (name, _what, change, result, message, hint) => {
  const finding = (await found(change())).get(name);
  expect(finding).toEqual({
    name,
    result,
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
});

test('every check has a case in which it is not content', () => {
  // Trust is a matter of the config alone; its cases stand below.
  const tried = new Set([...cases.map(([name]) => name), 'trust']);
  expect(checks.map(({ name }) => name).filter((name) => !tried.has(name))).toEqual([]);
});

const far = 'http://far.example';

test.each([
  ['', {}, 'fail', /nothing is known/],
  ['[trust]\nheight = 5\n', {}, 'fail', /height is set without trust\.hash/],
  [`[trust]\nhash = "${genesisHash}"\n`, {}, 'fail', /hash is set without trust\.height/],
  ['[trust]\nnode = true\n', { rpcUrl: far }, 'warn', /far\.example is believed without proofs/],
  ['[trust]\nnode = true\n', {}, 'ok', /on this machine/],
] as const)('trust with %j at %j', async (settings, chain, result, message) => {
  const config = configIn(own.folder, settings);
  const { findings } = await diagnose({ ...config, chain: { ...config.chain, ...chain } }, well());
  expect(findings.find(({ name }) => name === 'trust')).toMatchObject({
    result,
    message: expect.stringMatching(message),
  });
});

test('what has no fault of its own is content: a first start, a clock without a node’s, a port to be had', async () => {
  const fresh = await found({
    ...away,
    exists: async (path) => !path.endsWith('journal'),
    journal: boom('not opened'),
  });
  expect(fresh.get('journal')).toMatchObject({ result: 'ok' });
  expect((await found({ node: async () => silent })).get('clock')).toMatchObject({ result: 'ok' });
  const unbound = await found({ ...away, port: async () => 'free', listens: async () => false });
  for (const name of ['host port', 'gateway port', 'data plane'])
    expect(unbound.get(name)).toMatchObject({ result: 'ok' });
});

test('one look that breaks leaves the others; people read what fails first', async () => {
  const { ok, findings } = await diagnose(configIn(own.folder, full), well({ entries: boom('the node is away') }));
  expect(ok).toBe(false);
  expect(findings).toHaveLength(checks.length);
  const text = diagnosisText({ ok, findings }).split('\n');
  expect(text[0]).toMatch(/^FAIL {2}funds .*the node is away/);
  expect(text[1]).toMatch(/→ /);
  expect(text.at(-1)).toContain('something fails');
});

test('a config that cannot be read is a finding', () => {
  const { finding, config } = configFinding(() => configIn(own.folder, '[nothing]\n'));
  expect(config).toBeUndefined();
  expect(finding).toMatchObject({
    name: 'config',
    result: 'fail',
    message: expect.stringContaining('unknown section'),
  });
  expect(configFinding(() => configIn(own.folder))).toMatchObject({ finding: { result: 'ok' } });
});

test('versions of an API are numbers, not texts', () => {
  expect(['1.9', '1.40', '0.99'].map((version) => olderThan(version, '1.41'))).toEqual([true, true, true]);
  expect(['1.41', '1.100', '2.0'].map((version) => olderThan(version, '1.41'))).toEqual([false, false, false]);
});
