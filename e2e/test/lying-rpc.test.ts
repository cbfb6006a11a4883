/** A node that lies to the light client, in one thing at a time: each lie is caught and named. */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Comet38Client, HttpClient } from '@cosmjs/tendermint-rpc';
import { fetchGenesis, openProvedViews } from '@mu/client/light/connect';
import { LightError, type LightErrorKind, type LightFault } from '@mu/client/light/errors';
import { AttackError } from '@mu/client/light/evidence';
import { LightClient } from '@mu/client/light/light-client';
import { RpcSource } from '@mu/client/light/rpc-source';
import { genesisHash, type TrustRoot } from '@mu/client/light/trust-root';
import { MemoryTrustedStore } from '@mu/client/light/trusted-store';
import { VerifiedState } from '@mu/client/light/verified-state';
import { VerifiedStore } from '@mu/client/light/verified-store';
import { fromBech32, toBech32 } from '@mu/lib/bech32';
import { fromBase64, fromHex, toHex } from '@mu/lib/bytes';
import { balanceKey } from '@mu/lib/state-keys';
import { answers } from '../src/lies/answers.ts';
import { attacker, keyPair } from '../src/lies/attacker.ts';
import { flipHex, response, signed } from '../src/lies/case.ts';
import { commits } from '../src/lies/commits.ts';
import { type Forger, forgery, ownValidators } from '../src/lies/forgery.ts';
import { validators } from '../src/lies/validators.ts';
import { LyingRpc } from '../src/lying-rpc.ts';
import { Network } from '../src/network.ts';

const folder = mkdtempSync(join(tmpdir(), 'mu-light-'));
const network = new Network({ folder, chainId: 'mu-light-1', blockIntervalMs: 150 });
const somebody = toBech32('mu', new Uint8Array(20).fill(9));
const poor = toBech32('mu', new Uint8Array(20).fill(8));
const sent = 5n;
/** somebody who has coins, and how many after a transaction */
let rich = '';
let coins = 0n;
let supply = 0n;
let proxy: LyingRpc;
let root: TrustRoot;

const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;

beforeAll(async () => {
  await network.initChain();
  rich = await network.initUser();
  await network.addAccount(rich);
  await network.startChain();
  await network.untilHeight(4);
  const client = await network.client();
  supply = await client.supply('umu');
  const before = await client.balance(rich, 'umu');
  const { stderr } = await network.mucli(['tx', 'bank', 'send', somebody, `${sent}umu`]);
  expect(stderr).toBe('');
  coins = await client.balance(rich, 'umu');
  expect(coins).toBeLessThan(before);
  client.disconnect();
  proxy = await LyingRpc.start(network.rpc);
  const { signed_header } = await proxy.ask('commit', { height: '3' });
  root = { kind: 'block', height: 3n, hash: fromHex(signed_header.commit.block_id.hash.toLowerCase()) };
}, 60_000);

afterAll(async () => {
  await proxy?.stop();
  await network.stop();
});

afterEach(() => proxy.honest());

interface StateOptions {
  readonly timeoutMs?: number;
  readonly primary?: string;
  readonly witness?: string;
  readonly maxAgeNs?: bigint;
}

async function stateOf(trust: TrustRoot, options: StateOptions = {}): Promise<VerifiedState> {
  const rpc = options.primary ?? proxy.url;
  const chainId = 'mu-light-1';
  const source = async (name: string): Promise<RpcSource> => {
    const comet = await Comet38Client.create(new HttpClient(name));
    return new RpcSource({ comet, chainId, name, timeoutMs: options.timeoutMs ?? 5000 });
  };
  const light = await LightClient.create({
    chainId,
    root: trust,
    primary: await source(rpc),
    witnesses: options.witness === undefined ? [] : [await source(options.witness)],
    store: new MemoryTrustedStore(),
    nowNs,
    pause,
  });
  const comet = await Comet38Client.create(new HttpClient(rpc, options.timeoutMs));
  const { maxAgeNs = 600_000_000_000n } = options;
  return new VerifiedState(new VerifiedStore({ light, comet, nowNs, pause, freshness: 'newest', maxAgeNs }));
}

/** What a balance read through the light client says of the lies told from now on. */
async function caught(
  address: string,
  tell: () => void,
): Promise<{ kind: LightErrorKind; fault: LightFault | undefined }> {
  const state = await stateOf(root);
  tell();
  try {
    await state.balance(address, 'umu');
  } catch (error) {
    if (!(error instanceof LightError)) throw error;
    expect(error.source).toBe(proxy.url);
    expect(error.message).toContain(proxy.url);
    return { kind: error.kind, fault: error.fault };
  }
  throw new Error('the lie was believed');
}

test('the truth is believed: values, absences, amounts', async () => {
  const state = await stateOf(root);
  expect(await state.balance(rich, 'umu')).toBe(coins);
  expect(await state.balance(poor, 'umu')).toBe(0n);
  expect(await state.balance(somebody, 'umu')).toBe(sent);
  expect(await state.supply('umu')).toBe(supply);
  expect(await state.account(rich)).toEqual({ accountNumber: expect.any(BigInt), sequence: 1n });
  expect(await state.account(poor)).toBeUndefined();
  expect(await state.provider(rich)).toBeUndefined();
  expect(await state.node(rich, 'node-1')).toBeUndefined();
  expect(await state.lease(1n)).toBeUndefined();
  expect(await state.order({ owner: rich, dseq: 1n, infrastructure: 0, round: 0 })).toBeUndefined();
  expect(await state.deployment(rich, 1n)).toBeUndefined();
});

test('from the genesis, by its hash', async () => {
  const document = JSON.parse(readFileSync(network.path('chain', 'config', 'genesis.json'), 'utf8'));
  const hash = genesisHash(document);
  expect(toHex(genesisHash(await fetchGenesis(network.rpc)))).toBe(toHex(hash));
  const trust: TrustRoot = { kind: 'genesis_hash', hash, document: () => fetchGenesis(proxy.url) };
  expect(await (await stateOf(trust)).balance(rich, 'umu')).toBe(coins);
  proxy.lies.set('genesis_chunked', (result) => {
    const changed = JSON.parse(Buffer.from(result.data, 'base64').toString('utf8'));
    changed.app_state.bank.balances[0].coins[0].amount = '1';
    return { ...result, data: Buffer.from(JSON.stringify(changed)).toString('base64') };
  });
  await expect(stateOf(trust)).rejects.toMatchObject({ kind: 'trust_mismatch', fault: 'genesis' });
});

test('an older height is proved by the header after it', async () => {
  const state = await stateOf(root);
  const { key } = balanceOf(rich);
  for (const height of [2n, 3n, 4n]) {
    const found = await state.store.query('bank', key, height);
    expect(found.height).toBe(height);
    expect(BigInt(Buffer.from(found.value as Uint8Array).toString('utf8'))).toBeGreaterThan(coins);
  }
});

function balanceOf(address: string): { key: Uint8Array } {
  return { key: balanceKey(fromBech32(address), 'umu') };
}

describe.each([
  ['abci_query', answers],
  ['commit', commits],
  ['validators', validators],
] as const)('lies of %s', (method, cases) => {
  test.each(cases)('$name', async ({ lie, kind, fault, about }) => {
    const said = await caught(about === 'poor' ? poor : rich, () => proxy.lies.set(method, lie));
    expect(said.kind).toBe(kind);
    if (fault !== undefined) expect(said.fault).toBe(fault);
  });
});

test('a whole chain of the attacker’s own', async () => {
  const said = await caught(rich, () => {
    proxy.lies.set('commit', forgery({ ...attacker, ownSet: true, after: 3n }));
    proxy.lies.set('validators', ownValidators);
  });
  expect(said).toEqual({ kind: 'unverifiable', fault: 'next_validators_hash' });
});

test('a block that the attacker signed in the validator’s name', async () => {
  const { validators: real } = await proxy.ask('validators', { height: '3' });
  const said = await caught(rich, () => {
    proxy.lies.set('commit', forgery({ ...attacker, address: real[0].address, ownSet: false, after: 3n }));
  });
  expect(said.fault).toBe('signature');
});

/** The chain's only validator, turned attacker. */
function validator(after: bigint): Forger {
  const file = network.path('chain', 'config', 'priv_validator_key.json');
  const { address, priv_key: key } = JSON.parse(readFileSync(file, 'utf8'));
  return { ...keyPair(fromBase64(key.value).subarray(0, 32)), address, ownSet: false, after };
}

test('a block that the validator itself forged is believed without a witness, and an attack with one', async () => {
  expect((await caught(rich, () => proxy.lies.set('commit', forgery(validator(3n))))).fault).toBe('proof_root');
  proxy.honest();
  const state = await stateOf(root, { witness: network.rpc });
  expect(await state.balance(rich, 'umu')).toBe(coins);
  proxy.lies.set('commit', forgery(validator(state.store.light.trusted.header.height)));
  const attack = await state.balance(rich, 'umu').catch((error: unknown) => error);
  expect(attack).toBeInstanceOf(AttackError);
  const [first] = (attack as AttackError).divergences;
  expect(first?.accused).toBe(proxy.url);
  expect(first?.evidence.byzantineValidators.map(({ address }) => toHex(address).toUpperCase())).toEqual([
    validator(0n).address,
  ]);
  expect((attack as AttackError).message).toContain(network.rpc);
});

test('a witness that lies is told from the truth only by which of them can prove its side', async () => {
  proxy.lies.set(
    'commit',
    signed((h) => {
      h.app_hash = flipHex(h.app_hash);
    }),
  );
  await expect(stateOf(root, { primary: network.rpc, witness: proxy.url })).resolves.toBeInstanceOf(VerifiedState);
});

test('a root that the node does not have', async () => {
  const other: TrustRoot = { kind: 'block', height: 3n, hash: new Uint8Array(32).fill(5) };
  await expect(stateOf(other)).rejects.toMatchObject({ kind: 'trust_mismatch', fault: 'header_hash', height: 3n });
  const far: TrustRoot = { kind: 'block', height: 1_000_000n, hash: new Uint8Array(32).fill(5) };
  await expect(stateOf(far)).rejects.toMatchObject({ kind: 'height_too_high', height: 1_000_000n });
});

test('a node that stands still', async () => {
  const frozen = await proxy.ask('commit', { height: '4' });
  const state = await stateOf(root, { maxAgeNs: 1_000_000n });
  proxy.lies.set('commit', () => frozen);
  await expect(state.balance(rich, 'umu')).rejects.toMatchObject({ kind: 'stale', fault: 'time', source: proxy.url });
});

test('a node that says nothing, or no JSON', async () => {
  const state = await stateOf(root, { timeoutMs: 300 });
  proxy.silent.add('commit');
  await expect(state.balance(rich, 'umu')).rejects.toMatchObject({ kind: 'unavailable', source: proxy.url });
  proxy.honest();
  proxy.silent.add('abci_query');
  await expect(state.balance(rich, 'umu')).rejects.toMatchObject({ kind: 'unavailable', source: proxy.url });
});

test('another height than was asked for', async () => {
  const state = await stateOf(root);
  const other = await proxy.ask('commit', { height: '4' });
  proxy.lies.set('commit', () => other);
  const { key } = balanceOf(rich);
  await expect(state.store.query('bank', key, 1n)).rejects.toMatchObject({ kind: 'wrong_answer', fault: 'height' });
});

describe('mucli', () => {
  const ask = (...words: string[]) => network.mucli(['--node', proxy.url, ...words, '--output', 'json']);
  const lie = (name: string): void => {
    const found = answers.find((one) => one.name === name);
    if (found === undefined) throw new Error(`there is no lie "${name}"`);
    proxy.lies.set('abci_query', (result, params, node) => (params.prove ? found.lie(result, params, node) : result));
  };

  test('prints what is proved', async () => {
    const done = await ask('query', 'bank', rich);
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(done.stdout).balances).toEqual([{ denom: 'umu', amount: coins.toString() }]);
    const none = await ask('query', 'market', 'lease', '1');
    expect(none).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('proved that the record does not'),
    });
  });

  test('a lie ends it with a code of its own and the lie’s name', async () => {
    lie('the value');
    const done = await ask('query', 'bank', rich);
    expect(done).toMatchObject({ code: 4, stdout: '' });
    expect(done.stderr).toMatch(/^mucli: not proved \(invalid_proof, proof_value\): http:\/\/127/);
  });

  test('believes the node only where it is told to, and says so', async () => {
    proxy.lies.set(
      'abci_query',
      response((r) => {
        r.value = '';
      }),
    );
    const done = await ask('--trust-node', 'query', 'bank', rich);
    expect(done).toMatchObject({ code: 0, stderr: expect.stringContaining('not verified') });
    expect(JSON.parse(done.stdout).balances).toEqual([]);
  });

  test('says that a list is not verified', async () => {
    const done = await ask('query', 'market', 'orders');
    expect(done).toMatchObject({ code: 0, stderr: expect.stringContaining('not verified') });
  });

  test('without a root of trust it says what to do', async () => {
    const done = await ask('--trust-genesis-hash', '', 'query', 'bank', rich);
    expect(done).toMatchObject({ code: 2, stderr: expect.stringContaining('mucli trust') });
  });

  test('another root than the node’s', async () => {
    const done = await ask('--trust-genesis-hash', 'ab'.repeat(32), 'query', 'bank', rich);
    expect(done).toMatchObject({ code: 4, stderr: expect.stringContaining('(trust_mismatch, genesis)') });
  });

  test('shows what may be named as a root, and works from the block that it names', async () => {
    const file = network.path('chain', 'config', 'genesis.json');
    const ofFile = JSON.parse((await ask('trust', '--genesis', file)).stdout);
    const said = JSON.parse((await ask('trust')).stdout);
    expect(said).toMatchObject({ chain_id: 'mu-light-1', ...ofFile });
    const root = ['--trust-height', said.trust_height, '--trust-hash', said.trust_hash];
    expect((await ask(...root, 'query', 'bank', rich)).code).toBe(0);
    const wrong = ['--trust-height', said.trust_height, '--trust-hash', 'ab'.repeat(32)];
    const done = await ask(...wrong, 'query', 'bank', rich);
    expect(done).toMatchObject({ code: 4, stderr: expect.stringContaining('(trust_mismatch, header_hash)') });
  });

  test('a witness that is of another mind stops it', async () => {
    const lying = await LyingRpc.start(network.rpc);
    try {
      lying.lies.set('commit', forgery(validator(3n)));
      const done = await ask('--witnesses', lying.url, 'query', 'bank', rich);
      expect(done).toMatchObject({ code: 4, stderr: expect.stringContaining('(attack, header_hash)') });
    } finally {
      await lying.stop();
    }
  });
});

test('the two views of a node: what it did newest, and what is proved at once', async () => {
  const client = await network.client();
  try {
    const hash = toHex(genesisHash(await fetchGenesis(network.rpc)));
    const trust = { genesisHash: hash, height: 0n, hash: '', periodHours: 336, witnesses: [] };
    const views = await openProvedViews({ rpcUrl: network.rpc, client, trust, folder: network.path('views') });
    expect(await views.newest.balance(rich, 'umu')).toBe(coins);
    expect(await views.settled.balance(rich, 'umu')).toBe(coins);
    expect(await views.settled.supply('umu')).toBe(supply);
    expect(await views.settled.height()).toBeLessThan(await client.height());
    const { height, timeMs } = await views.seen();
    const prover = await client.comet.block(Number(height) + 1);
    expect(timeMs).toBe(Math.floor(prover.block.header.time.getTime()));
    await expect(views.settled.market.lease({ number: 1n })).rejects.toMatchObject({
      name: 'ChainError',
      notFound: true,
    });
    expect((await views.settled.market.leases({})).leases).toEqual([]);
  } finally {
    client.disconnect();
  }
});
