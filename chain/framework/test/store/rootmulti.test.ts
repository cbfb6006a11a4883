import { readFileSync } from 'node:fs';
import { iavlSpec, ics23, tendermintSpec, verifyMembership, verifyNonMembership } from '@confio/ics23';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryBackend } from '@mu/framework/store/memory-backend';
import { noStoreUpgrades, type StoreUpgrades } from '@mu/framework/store/store-upgrades';
import { TreeCommitStore } from '@mu/framework/store/tree-commit-store';
import { fromBase64, fromHex, fromUtf8, toBase64, toHex, utf8 } from '@mu/lib/bytes';
import { z } from 'zod';

const hex = z
  .string()
  .regex(/^([0-9a-f]{2})*$/)
  .transform(fromHex);
const hash = z.string().regex(/^[0-9a-f]{64}$/);
const operation = z.union([z.tuple([z.literal('set'), hex, hex]), z.tuple([z.literal('remove'), hex])]);
const upgrade = z.union([
  z.strictObject({ added: z.array(z.string()) }),
  z.strictObject({ deleted: z.array(z.string()) }),
  z.strictObject({ renamed: z.array(z.strictObject({ from: z.string(), to: z.string() })) }),
]);
const block = z.strictObject({
  height: z.number().int(),
  /** by store, in the order of the block's transactions */
  ops: z.record(z.string(), z.array(operation)),
  upgrade: upgrade.optional(),
  stores: z.record(z.string(), hash),
  appHash: hash,
});
const asked = { height: z.number().int(), store: z.string(), key: hex };
const query = z.union([
  z.strictObject({ ...asked, error: z.string() }),
  z.strictObject({
    ...asked,
    value: hex.nullable(),
    ops: z.array(z.strictObject({ type: z.string(), key: z.string(), data: z.string() })),
  }),
]);
const file = z.strictObject({
  modules: z.strictObject({
    'github.com/cosmos/iavl': z.literal('v1.2.6'),
    'github.com/cosmos/ics23/go': z.literal('v0.11.0'),
    'cosmossdk.io/store': z.literal('v1.1.2'),
  }),
  chains: z.array(
    z.strictObject({
      name: z.string(),
      initialHeight: z.number().int(),
      stores: z.array(z.string()),
      blocks: z.array(block),
      queries: z.array(query).nullable(),
    }),
  ),
});

type Chain = z.infer<typeof file>['chains'][number];
type Block = z.infer<typeof block>;
type Query = z.infer<typeof query>;
type Proven = Exclude<Query, { readonly error: string }>;

const { chains } = file.parse(JSON.parse(readFileSync(new URL('../vectors/rootmulti.json', import.meta.url), 'utf8')));
const byName = chains.map((chain) => [chain.name, chain] as const);

/** The stores after an upgrade. */
function upgraded(names: readonly string[], { upgrade }: Block): readonly string[] {
  const { added, renamed, deleted } = { ...noStoreUpgrades, ...upgrade };
  const gone = [...deleted, ...renamed.map(({ from }) => from)];
  return [...names.filter((name) => !gone.includes(name)), ...added, ...renamed.map(({ to }) => to)];
}

const upgradesOf = ({ upgrade }: Block): StoreUpgrades => ({ ...noStoreUpgrades, ...upgrade });

/** Runs a chain's blocks, looking at each, over one backend that is opened anew at each upgrade. */
function run({ stores, blocks }: Chain, look: (block: Block, store: TreeCommitStore) => void = () => undefined) {
  const backend = new MemoryBackend();
  let names: readonly string[] = stores;
  let store = new TreeCommitStore(backend, names);
  for (const one of blocks) {
    if (one.upgrade !== undefined) {
      names = upgraded(names, one);
      store = new TreeCommitStore(backend, names, { upgradesAfter: () => upgradesOf(one) });
    }
    const branch = new BranchMultiStore(store);
    for (const [name, operations] of Object.entries(one.ops)) {
      for (const [kind, key, value] of operations) {
        if (kind === 'set') branch.store(name).set(key, value);
        else branch.store(name).delete(key);
      }
    }
    const changes = branch.changes();
    const working = store.workingHash(BigInt(one.height), changes);
    const { appHash, height } = store.commit(BigInt(one.height), changes);
    expect(toHex(working)).toBe(toHex(appHash));
    expect(height).toBe(BigInt(one.height));
    look(one, store);
  }
  return { store, backend };
}

const proofs = (queries: readonly Query[] | null): Proven[] =>
  (queries ?? []).filter((one): one is Proven => 'ops' in one);
const refusals = (queries: readonly Query[] | null) => (queries ?? []).filter((one) => 'error' in one);

describe('the stores together are those of cosmossdk.io/store v1.1.2', () => {
  test('the vectors are all there', () => {
    expect(chains).toHaveLength(6);
    expect(chains.flatMap(({ blocks }) => blocks)).toHaveLength(36);
    expect(chains.flatMap(({ queries }) => proofs(queries))).toHaveLength(113);
    expect(chains.flatMap(({ queries }) => refusals(queries))).toHaveLength(4);
  });

  test.each(byName)('%s: roots and app hash of every block', (_name, chain) => {
    run(chain, ({ height, stores, appHash }, store) => {
      expect(toHex(store.last.appHash)).toBe(appHash);
      const opened = [...store.nodes(BigInt(height))].map(({ store: name }) => name);
      expect(opened).toEqual(Object.keys(stores).sort((a, b) => (a < b ? -1 : 1)));
    });
  });

  test.each(byName)('%s: roots of every store', (_name, chain) => {
    const { backend } = run(chain);
    for (const { height, stores } of chain.blocks) {
      const roots = backend.version(height)?.roots.map(({ store, root }) => [store, toHex(root.hash)]);
      expect(Object.fromEntries(roots ?? [])).toEqual(stores);
    }
  });

  test.each(byName)('%s: opened anew after every block', (_name, { stores, blocks }) => {
    const backend = new MemoryBackend();
    let names: readonly string[] = stores;
    for (const one of blocks) {
      names = upgraded(names, one);
      const store = new TreeCommitStore(backend, names, { cacheBytes: 1, upgradesAfter: () => upgradesOf(one) });
      const branch = new BranchMultiStore(store);
      for (const [name, operations] of Object.entries(one.ops)) {
        for (const [kind, key, value] of operations) {
          if (kind === 'set') branch.store(name).set(key, value);
          else branch.store(name).delete(key);
        }
      }
      expect(toHex(store.commit(BigInt(one.height), branch.changes()).appHash)).toBe(one.appHash);
    }
  });

  test.each(byName)('%s: proofs byte for byte, at the latest and at older heights', (_name, chain) => {
    const { store } = run(chain);
    for (const { height, store: name, key, value, ops } of proofs(chain.queries)) {
      const answer = store.read(name, key, BigInt(height), true);
      expect(answer.value ?? null).toEqual(value);
      expect(answer.height).toBe(BigInt(height));
      expect(
        answer.proof?.ops.map((op) => ({ type: op.type, key: toBase64(op.key), data: toBase64(op.data) })),
      ).toEqual(ops);
    }
  });

  test.each(byName)('%s: proofs lead to the app hash, as ics23 judges them', (_name, chain) => {
    const { store, backend } = run(chain);
    for (const { height, store: name, key, value } of proofs(chain.queries)) {
      const { ops = [] } = store.read(name, key, BigInt(height), true).proof ?? {};
      const [inTree, inStores] = ops.map(({ data }) => ics23.CommitmentProof.decode(data));
      const appHash = fromHex((chain.blocks.find((one) => one.height === height) as Block).appHash);
      const root = inStores?.exist?.value as Uint8Array;
      const opKey = ops[1]?.key as Uint8Array;
      expect(fromUtf8(opKey)).toBe(name);
      expect(verifyMembership(inStores as ics23.CommitmentProof, tendermintSpec, appHash, utf8(name), root)).toBe(true);
      expect(verifyMembership(inStores as ics23.CommitmentProof, tendermintSpec, appHash, utf8('x'), root)).toBe(false);
      const proof = inTree as ics23.CommitmentProof;
      const empty = [...backend.version(height)!.roots].find((one) => one.store === name)?.root.id === 0;
      // Nothing can be proved of an empty tree: ics23 wants a neighbour.
      if (value === null) expect(verifyNonMembership(proof, iavlSpec, root, key)).toBe(!empty);
      else expect(verifyMembership(proof, iavlSpec, root, key, value)).toBe(true);
    }
  });

  test.each(byName)('%s: what the SDK refuses is refused', (_name, chain) => {
    const { store } = run(chain);
    for (const { height, store: name, key } of refusals(chain.queries)) {
      expect(() => store.read(name, key, BigInt(height), true)).toThrow(/no such store|in the future|zero length/);
    }
  });
});

test('a vector that is changed is noticed', () => {
  const [chain] = chains as [Chain];
  const changed = structuredClone(chain);
  const bank = changed.blocks[0]?.ops['bank'] as [string, Uint8Array, Uint8Array][];
  const lastSet = bank.findLastIndex(([kind]) => kind === 'set');
  (bank[lastSet] as [string, Uint8Array, Uint8Array])[2] = fromBase64('AAAA');
  const hashes: string[] = [];
  run(changed, (_block, store) => hashes.push(toHex(store.last.appHash)));
  expect(hashes).not.toEqual(chain.blocks.map(({ appHash }) => appHash));
  expect(hashes).toHaveLength(12);
});
