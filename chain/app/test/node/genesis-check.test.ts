import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Json } from '@mu/framework/module';
import { toBech32 } from '@mu/lib/bech32';
import { defaultAppState } from '../../src/mu-app.ts';
import { addAccount, type Genesis, genesisOf, newGenesis, readGenesis, writeGenesis } from '../../src/node/genesis.ts';
import { addAccounts } from '../../src/node/genesis-bulk.ts';
import { checkGenesis, requireValid } from '../../src/node/genesis-check.ts';
import { addValidator, removeValidator, validatorKeyJson } from '../../src/node/genesis-validators.ts';

const time = '2026-01-01T00:00:00Z';
const nowMs = Date.parse('2026-06-01T00:00:00Z');
const address = (index: number, prefix = 'mu'): string => {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt32BE(index);
  return toBech32(prefix, new Uint8Array(bytes));
};
const key = (byte: number): string => JSON.stringify(validatorKeyJson(new Uint8Array(32).fill(byte)));
const empty = newGenesis({
  chainId: 'mu-1',
  time,
  validators: [],
  appState: defaultAppState({ bech32Prefix: 'mu', denom: 'umu' }),
});
const sound = addAccount(addValidator(empty, { pubKey: key(1), power: '10', name: 'one' }), address(0), '1000umu');

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-genesis-'));
  file = join(folder, 'genesis.json');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The genesis with another value at a path. */
function changed(path: readonly (string | number)[], value: unknown): Genesis {
  const copy = structuredClone(sound) as unknown as Record<string | number, unknown>;
  let place = copy;
  for (const step of path.slice(0, -1)) place = place[step] as Record<string | number, unknown>;
  place[path.at(-1) as string] = value;
  return copy as unknown as Genesis;
}

describe('genesis validate', () => {
  test('a sound one has nothing to say', () => {
    expect(checkGenesis(sound, nowMs)).toEqual({ errors: [], warnings: [] });
  });

  test('a time that has not come, and a module that is missing, are warnings', () => {
    const { market: _market, ...others } = sound.app_state;
    expect(checkGenesis({ ...sound, genesis_time: '2027-01-01T00:00:00Z', app_state: others }, nowMs)).toEqual({
      errors: [],
      warnings: [
        'app_state.market is missing: the module begins with its defaults',
        'genesis_time: 2027-01-01T00:00:00Z has not come yet: the first block waits for it',
      ],
    });
  });

  const account = (sound.app_state['auth'] as { accounts: Json[] }).accounts[0] as Json;
  const balance = (sound.app_state['bank'] as { balances: Json[] }).balances[0] as Json;
  const foreign = { '@type': '/cosmos.auth.v1beta1.BaseAccount', address: address(0, 'cosmos'), sequence: '0' };
  const wrong: [string, Genesis, string][] = [
    ['an unknown module', changed(['app_state', 'gov'], {}), 'app_state.gov: there is no such module'],
    ['an unknown field', changed(['app_state', 'bank', 'minted'], true), 'app_state.bank: '],
    ['an account twice', changed(['app_state', 'auth', 'accounts'], [account, account]), 'accounts[1]: duplicate'],
    ['a balance twice', changed(['app_state', 'bank', 'balances'], [balance, balance]), 'balances[1]: it stands twice'],
    [
      'a supply that is not the sum',
      changed(['app_state', 'bank', 'supply'], [{ denom: 'umu', amount: '1001' }]),
      'app_state.bank: supply: genesis supply is incorrect',
    ],
    ['another chain’s account', changed(['app_state', 'auth', 'accounts'], [foreign]), 'auth.accounts[0]: its address'],
    ['no validator', changed(['validators'], []), 'validators: there is none'],
    ['a validator without power', changed(['validators', 0, 'power'], '0'), 'validators[0].power must be above 0'],
    ['another address than the key’s', changed(['validators', 0, 'address'], 'AB'), 'does not belong to its key'],
    [
      'a validator twice',
      changed(['validators'], [sound.validators[0], sound.validators[0]]),
      'validators[1]: the key of validators[0]',
    ],
    [
      'more power than CometBFT counts',
      changed(['validators', 0, 'power'], '1152921504606846976'),
      'validators: their power is',
    ],
    [
      'blocks too small',
      changed(['consensus_params'], {
        block: { max_bytes: '1000', max_gas: '-1' },
        evidence: { max_age_num_blocks: '1', max_age_duration: '1', max_bytes: '100' },
      }),
      'consensus_params: block.max_bytes',
    ],
    ['an unknown constant', changed(['app_state', 'app', 'colour'], 'red'), 'app_state.app has no field colour'],
  ];
  test.each(wrong)('%s is an error with its path', (_what, genesis, message) => {
    const { errors } = checkGenesis(genesis, nowMs);
    expect(errors.join('\n')).toContain(message);
    expect(() => requireValid(genesis, nowMs, 'g.json')).toThrow('g.json is no genesis:\n');
  });

  test('all that is wrong is said at once', () => {
    const genesis = { ...changed(['app_state', 'gov'], {}), validators: [] };
    expect(checkGenesis(genesis, nowMs).errors).toHaveLength(2);
  });

  test('what only a beginning finds is found: a chain is begun in memory', () => {
    const params = (sound.app_state['market'] as { params: object }).params;
    const genesis = changed(['app_state', 'market', 'params'], { ...params, max_bids_per_order: 0 });
    expect(checkGenesis(genesis, nowMs).errors).not.toEqual([]);
  });
});

describe('the two forms', () => {
  const { consensus_params: params, validators, ...common } = sound;
  const sdk = {
    app_name: 'mud',
    app_version: '0.1.0',
    ...common,
    initial_height: 1,
    app_hash: null,
    consensus: { params, validators },
  };

  test('the SDK’s AppGenesis is read as the same genesis', () => {
    expect(genesisOf(sdk, file)).toEqual(sound);
    expect(checkGenesis(genesisOf(sdk, file), nowMs).errors).toEqual([]);
  });

  test('unknown keys are refused in both, and so are the keys of the other', () => {
    expect(() => genesisOf({ ...sdk, extra: 1 }, file)).toThrow('unknown key "extra"');
    expect(() => genesisOf({ ...sdk, validators }, file)).toThrow('unknown key "validators"');
    expect(() => genesisOf({ ...sdk, consensus: { params, block: 1 } }, file)).toThrow(
      'consensus: unknown key "block"',
    );
    expect(() => genesisOf({ ...sound, app_name: 'x' }, file)).toThrow('unknown key "app_name"');
  });
});

describe('validators', () => {
  test('are added from what a node shows of itself, in either form of a key', () => {
    const amino = JSON.stringify({ type: 'tendermint/PubKeyEd25519', value: Buffer.alloc(32, 2).toString('base64') });
    const two = addValidator(sound, { pubKey: amino, power: '7', name: 'two' });
    expect(two.validators[1]).toMatchObject({ power: '7', name: 'two', pub_key: JSON.parse(amino) });
    expect(checkGenesis(two, nowMs).errors).toEqual([]);
    expect(removeValidator(two, 'one').validators.map(({ name }) => name)).toEqual(['two']);
    expect(removeValidator(two, two.validators[1]!.address.toLowerCase()).validators).toEqual(sound.validators);
  });

  const refused: [string, string, string, string][] = [
    ['a key twice', key(1), '10', 'is in this genesis already'],
    ['no key', '{"key":1}', '10', 'is no public key'],
    ['no JSON', 'ab', '10', 'is no public key'],
    ['a key of another kind', '{"@type":"/cosmos.crypto.secp256k1.PubKey","key":"AA=="}', '10', 'is no public key'],
    ['no power', key(3), '0', 'power 0'],
  ];
  test.each(refused)('%s is refused', (_what, pubKey, power, message) => {
    expect(() => addValidator(sound, { pubKey, power, name: '' })).toThrow(message);
  });

  test('one that is not there, or not the only one of its name, is not removed', () => {
    expect(() => removeValidator(sound, 'nobody')).toThrow('no validator of this genesis');
    const twins = addValidator(sound, { pubKey: key(2), power: '1', name: 'one' });
    expect(() => removeValidator(twins, 'one')).toThrow('2 validators have the name one');
  });
});

describe('accounts from a file', () => {
  const list = (): string => join(folder, 'list.txt');

  test('lines and JSON lines, as many as one likes, give what one by one gives', () => {
    writeGenesis(file, sound);
    writeFileSync(
      list(),
      `${address(1)} 5umu,7zed\n\n{"address":"${address(2)}","coins":"1umu"}\n` +
        `{"address":"${address(3)}","coins":[{"denom":"umu","amount":"2"}]}\n  ${address(4).toUpperCase()}\t3umu`,
    );
    expect(addAccounts(file, list())).toBe(4);
    let expected = sound;
    for (const [index, coins] of [
      [1, '5umu,7zed'],
      [2, '1umu'],
      [3, '2umu'],
      [4, '3umu'],
    ] as const)
      expected = addAccount(expected, address(index), coins);
    expect(readGenesis(file)).toEqual(expected);
    expect(checkGenesis(readGenesis(file), nowMs).errors).toEqual([]);
  });

  test('a list longer than a part, into a genesis without accounts or supply', () => {
    writeGenesis(file, { ...empty, validators: sound.validators });
    const count = 2500;
    writeFileSync(list(), Array.from({ length: count }, (_, index) => `${address(index)} 2umu\n`).join(''));
    expect(addAccounts(file, list())).toBe(count);
    const genesis = readGenesis(file);
    expect(genesis.app_state['bank']).toMatchObject({ supply: [{ denom: 'umu', amount: '5000' }] });
    expect(checkGenesis(genesis, nowMs).errors).toEqual([]);
    // What is written by parts is read as it was.
    writeGenesis(join(folder, 'again.json'), genesis);
    expect(readGenesis(join(folder, 'again.json'))).toEqual(genesis);
  });

  const refused: [string, string, string][] = [
    ['an account of the genesis', `${address(1)} 1umu\n${address(0)} 1umu\n`, 'list.txt:2: '],
    ['an account twice', `${address(1)} 1umu\n${address(1)} 1umu\n`, 'list.txt:2: '],
    ['another chain’s', `${address(1, 'cosmos')} 1umu\n`, 'list.txt:1: '],
    ['no coins', `${address(1)}\n`, 'list.txt:1: write an address and its coins'],
    ['coins that are none', `${address(1)} many\n`, 'list.txt:1: '],
    ['broken JSON', `{"address":\n`, 'list.txt:1: '],
    ['an unknown key', `{"address":"${address(1)}","coins":"1umu","x":1}\n`, 'list.txt:1: unknown key "x"'],
  ];
  test.each(refused)('%s is refused with its line, and the genesis stays', (_what, text, message) => {
    writeGenesis(file, sound);
    const before = readFileSync(file, 'utf8');
    writeFileSync(list(), text);
    expect(() => addAccounts(file, list())).toThrow(message);
    expect(readFileSync(file, 'utf8')).toBe(before);
  });
});
