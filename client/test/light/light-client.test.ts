/** A light client's own rules, beside CometBFT's: its store, its root, heights that it has passed, and who is named. */
import { fromHex } from '@mu/lib/bytes';
import { AttackError } from '../../src/light/evidence.ts';
import { hashOf, type LightBlock } from '../../src/light/light-block.ts';
import { genesisHash, genesisRoot, parseTrustedHash, verifyRoot } from '../../src/light/trust-root.ts';
import { MemoryTrustedStore } from '../../src/light/trusted-store.ts';
import { chainOf, clientOf, ListedSource } from './support.ts';
import { vectors } from './vectors.ts';

const chain = chainOf('the same validators');
const forged = chainOf('lunatic');
const at = (height: number, blocks = chain): LightBlock => {
  const found = blocks.find(({ header }) => header.height === BigInt(height));
  if (found === undefined) throw new Error(`no block ${height}`);
  return found;
};
const node = (blocks = chain, name = 'http://node'): ListedSource => new ListedSource(name, blocks);

describe('its store', () => {
  test('a restart goes on from the newest block and asks for nothing', async () => {
    const store = new MemoryTrustedStore();
    const first = await clientOf(node(), at(1), { store });
    await first.at(30n);
    const later = node();
    const again = await clientOf(later, at(1), { store });
    expect(again.trusted.header.height).toBe(30n);
    expect(await again.at(30n)).toEqual(at(30));
    expect(later.requests).toEqual([]);
  });

  test('another root begins anew', async () => {
    const store = new MemoryTrustedStore();
    await (await clientOf(node(), at(1), { store })).at(30n);
    const other = await clientOf(node(), at(5), { store });
    expect(other.trusted.header.height).toBe(5n);
    expect(store.heights()).toEqual([5n]);
  });

  test('it keeps so many blocks, and always the root’s', async () => {
    const store = new MemoryTrustedStore();
    const client = await clientOf(node(), at(2), { store, keepBlocks: 3 });
    for (const height of [10n, 20n, 30n, 40n]) await client.at(height);
    expect(store.heights()).toEqual([2n, 30n, 40n]);
  });
});

describe('heights it has passed', () => {
  test('a node that is behind is believed to be behind', async () => {
    const primary = node();
    const client = await clientOf(primary, at(1));
    await client.at(30n);
    primary.latest = 20n;
    expect((await client.update()).header.height).toBe(30n);
  });

  test('another block at the newest height is named', async () => {
    const store = new MemoryTrustedStore();
    await (await clientOf(node(), at(1), { store })).at(40n);
    const liar = await clientOf(node(forged, 'http://liar'), at(1), { store });
    await expect(liar.update()).rejects.toMatchObject({
      kind: 'unverifiable',
      fault: 'header_hash',
      height: 40n,
      source: 'http://liar',
    });
  });

  test('where the block before has expired the hashes of the one after lead back', async () => {
    const primary = node();
    const times = { nowNs: 0n };
    const period = 100_000_000_000n;
    const time = (height: number): bigint => at(height).header.time.seconds * 1_000_000_000n;
    const client = await clientOf(primary, at(1), { nowNs: () => times.nowNs, trustingPeriodNs: period });
    times.nowNs = time(1) + period - 5_000_000_000n;
    await client.at(12n);
    times.nowNs = time(1) + period + 5_000_000_000n;
    primary.requests.length = 0;
    expect((await client.at(9n)).header.height).toBe(9n);
    expect(primary.requests).toEqual([9, 11, 10]);
  });

  test('a false block below is found by the hashes', async () => {
    const mixed = chain.map((block) => (block.header.height === 33n ? at(33, forged) : block));
    const client = await clientOf(node(mixed), at(36));
    await expect(client.at(33n)).rejects.toMatchObject({
      kind: 'invalid_header',
      fault: 'last_block_hash',
      height: 33n,
    });
    expect((await client.at(34n)).header.height).toBe(34n);
  });

  test('the way back has an end', async () => {
    const client = await clientOf(node(), at(30), { maxBackwards: 10n });
    await client.at(20n);
    await expect(client.at(9n)).rejects.toMatchObject({ kind: 'no_block', height: 9n });
  });
});

describe('its root', () => {
  test.each([
    ['a height of 0', { height: 0n }, 'config'],
    ['a short hash', { hash: new Uint8Array(20) }, 'config'],
    ['another hash', { hash: hashOf(at(8)) }, 'trust_mismatch'],
    ['a height that the node lacks', { height: 99n }, 'height_too_high'],
  ] as const)('%s', async (_name, change, kind) => {
    const root = { kind: 'block', height: 7n, hash: hashOf(at(7)), ...change } as const;
    await expect(clientOf(node(), at(7), { root })).rejects.toMatchObject({ kind });
  });

  test('a witness with another root is an attack', async () => {
    const attack = clientOf(node(), at(35), { witnesses: [node(forged, 'http://witness')] });
    await expect(attack).rejects.toBeInstanceOf(AttackError);
    await expect(attack).rejects.toThrow(/http:\/\/node and its witness http:\/\/witness/);
  });

  test('verifications wait for each other', async () => {
    const client = await clientOf(node(), at(1));
    const heights = [40n, 3n, 20n, 3n, 40n];
    const blocks = await Promise.all(heights.map((height) => client.at(height)));
    expect(blocks.map(({ header }) => header.height)).toEqual(heights);
  });
});

describe('a genesis as the root', () => {
  const key = (byte: number): string => Buffer.alloc(32, byte).toString('base64');
  const genesis = {
    genesis_time: '2026-01-01T12:00:00.5Z',
    chain_id: vectors.chainId,
    initial_height: '1',
    validators: [
      { pub_key: { type: 'tendermint/PubKeyEd25519', value: key(1) }, power: '3' },
      { pub_key: { type: 'tendermint/PubKeyEd25519', value: key(2) }, power: '7' },
    ],
    app_state: { n: 5 },
  };
  const read = (change: object) => {
    const document = { ...genesis, ...change };
    return genesisRoot(document, genesisHash(document));
  };

  test('its hash does not depend on the order of keys', () => {
    const turned = Object.fromEntries(Object.entries(genesis).toReversed());
    expect(genesisHash(turned)).toEqual(genesisHash(genesis));
    expect(genesisHash({ ...genesis, app_state: { n: 6 } })).not.toEqual(genesisHash(genesis));
  });

  test.each([
    ['the time as Go writes it', { genesis_time: '2026-01-01T12:00:00.500Z' }],
    ['the height as a number', { initial_height: 1 }],
    ['no hash', { app_hash: null }],
    [
      'the Cosmos SDK’s form',
      { app_name: 'mud', app_version: '1', validators: undefined, consensus_params: undefined },
    ],
  ])('its hash is of what nodes serve: %s', (name, change) => {
    const served = { ...genesis, app_hash: '', consensus_params: { block: { max_gas: '5' } } };
    const { validators, consensus_params: params } = served;
    const consensus = name.startsWith('the Cosmos') ? { consensus: { params, validators } } : {};
    const file = JSON.parse(JSON.stringify({ ...served, ...change, ...consensus }));
    expect(genesisHash(file)).toEqual(genesisHash(served));
    expect(genesisRoot(file, genesisHash(served)).validators).toHaveLength(2);
  });

  test('a whole second has no fraction', () => {
    const hashAt = (time: string): Uint8Array => genesisHash({ ...genesis, genesis_time: time });
    expect(hashAt('2026-01-01T12:00:00.000Z')).toEqual(hashAt('2026-01-01T12:00:00Z'));
    expect(hashAt('2026-01-01T12:00:10Z')).not.toEqual(hashAt('2026-01-01T12:00:01Z'));
  });

  test('validators stand in the order of their power', () => {
    expect(read({}).validators.map(({ votingPower }) => votingPower)).toEqual([7n, 3n]);
    expect(read({})).toMatchObject({ initialHeight: 1n, genesisTimeNs: 1_767_268_800_500_000_000n });
    const sdk = { validators: undefined, consensus: { validators: genesis.validators } };
    expect(read(JSON.parse(JSON.stringify(sdk))).validators).toHaveLength(2);
  });

  test('another document is refused', () => {
    expect(() => genesisRoot({ ...genesis, chain_id: 'other' }, genesisHash(genesis))).toThrow(
      expect.objectContaining({ kind: 'trust_mismatch', fault: 'genesis' }),
    );
  });

  test.each([
    ['no validators', { validators: [] }],
    ['validators of no list', { validators: 7 }],
    ['a negative power', { validators: [{ ...genesis.validators[0], power: '-1' }] }],
    ['a key of no known type', { validators: [{ pub_key: { type: 'x', value: key(1) }, power: '1' }] }],
    ['no time', { genesis_time: 'yesterday' }],
    ['no chain id', { chain_id: 5 }],
    ['no height', { initial_height: 'first' }],
  ])('%s', (_name, change) => {
    expect(() => read(change)).toThrow(expect.objectContaining({ kind: 'malformed', fault: 'genesis' }));
  });

  test('the first block must be of its validators and not older than it', () => {
    const block = at(1);
    const root = { ...read({}), validators: block.validators, genesisTimeNs: 0n };
    expect(() => verifyRoot(root, block)).not.toThrow();
    const mismatch = (fault: string) => expect.objectContaining({ kind: 'trust_mismatch', fault });
    expect(() => verifyRoot(read({}), block)).toThrow(mismatch('validators_hash'));
    const late = { ...root, genesisTimeNs: block.header.time.seconds * 1_000_000_000n + 1_000_000_000n };
    expect(() => verifyRoot(late, block)).toThrow(mismatch('time'));
  });
});

test('a trusted hash is 64 hex digits', () => {
  expect(parseTrustedHash('AB'.repeat(32))).toEqual(fromHex('ab'.repeat(32)));
  for (const text of ['', 'ab', 'g'.repeat(64), 'a'.repeat(65)]) {
    expect(() => parseTrustedHash(text)).toThrow(expect.objectContaining({ kind: 'config' }));
  }
});
