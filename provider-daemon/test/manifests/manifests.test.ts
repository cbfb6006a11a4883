import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleFor } from '@mu/client/manifest/bundle';
import { manifestLimits } from '@mu/client/manifest/head';
import { PieceHasher } from '@mu/client/manifest/piece-hasher';
import { concatBytes, u32be, utf8 } from '@mu/lib/bytes';
import { manifestVersion } from '@mu/lib/manifest-hash';
import { merkleRoot } from '@mu/lib/merkle';
import { build, module, owner, seeded } from '../../../client/test/manifest/fixture.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import { receiveDelivery } from '../../src/manifests/receive.ts';
import { Refusal } from '../../src/manifests/refusal.ts';
import { type DeliveredHead, type DeploymentFacts, verifyDelivery } from '../../src/manifests/verify-delivery.ts';
import { counted } from '../support/surroundings.ts';
import { arriving, bodyOf, factsOf, filesOf, moduleOf, twoFiles } from './fixture.ts';

const built = build();
const bundle = bundleFor(built, ['main']);
const key = { owner, dseq: 17n, revision: 1n };

describe('the check of head and keys', () => {
  const check = (delivered: Partial<DeliveredHead>, facts: Partial<DeploymentFacts> = {}) => {
    const result = verifyDelivery(
      { headBytes: built.headBytes, keys: bundle.keys, files: [...bundle.files.keys()], ...delivered },
      factsOf(built, facts),
    );
    return result.ok ? result.accepted.files.map(({ path }) => path) : result.refusal.code;
  };

  it('takes what the chain names, and knows which files must follow', () => {
    expect(check({})).toEqual(['functions/simple_backend.wasm']);
    expect(check({ keys: built.sectionKeys })).toEqual(['functions/simple_backend.wasm']);
    expect(check({ files: [] })).toEqual([]);
  });

  it('refuses files that the head does not have, that come twice or out of its order', () => {
    const path = 'functions/simple_backend.wasm';
    expect(check({ files: [path, path] })).toBe('invalid');
    expect(check({ files: ['functions/other.wasm'] })).toBe('invalid');
    const facts = factsOf(twoFiles);
    const paths = twoFiles.head.files.map((file) => file.path);
    const delivered = { headBytes: twoFiles.headBytes, keys: twoFiles.sectionKeys };
    const refusal = verifyDelivery({ ...delivered, files: paths.toReversed() }, facts);
    expect(refusal).toMatchObject({ ok: false, refusal: { code: 'invalid' } });
    const second = verifyDelivery({ ...delivered, files: paths.slice(1) }, facts);
    expect(second).toMatchObject({ ok: true, accepted: { files: twoFiles.head.files.slice(1) } });
  });

  it('refuses what is not for this provider, or not what the chain names', () => {
    expect(check({}, { held: [] })).toBe('not_my_lease');
    expect(check({}, { version: new Uint8Array(32) })).toBe('wrong_hash');
    expect(check({ headBytes: concatBytes(built.headBytes, utf8(' ')) })).toBe('wrong_hash');
    expect(check({}, { dseq: 18n })).toBe('wrong_deployment');
    expect(check({}, { owner: 'mu1somebodyelse' })).toBe('wrong_deployment');
    expect(check({}, { chainId: 'mu-2' })).toBe('wrong_deployment');
    expect(check({}, { revision: 2n })).toBe('wrong_revision');
    expect(check({}, { held: [{ lease: 1n, infrastructure: 'third' }] })).toBe('invalid');
  });

  it('refuses a head that is too large or of another form, even where the chain has its hash', () => {
    const large = new Uint8Array(manifestLimits.headBytes + 1);
    expect(check({ headBytes: large }, { version: manifestVersion(large) })).toBe('too_large');
    const other = utf8('{"format":"mu/manifest/2"}');
    expect(check({ headBytes: other }, { version: manifestVersion(other) })).toBe('invalid');
  });

  it('refuses keys that are missing, wrong, or not for this provider', () => {
    expect(check({ keys: new Map() })).toBe('missing_key');
    expect(check({ keys: new Map([['main', seeded('x')(32)]]) })).toBe('wrong_key');
    const spareOnly = { held: [{ lease: 1n, infrastructure: 'spare' }] };
    expect(check({ keys: built.sectionKeys }, spareOnly)).toBe('wrong_key');
    expect(check({ keys: bundleFor(built, ['spare']).keys }, spareOnly)).toEqual(['functions/simple_backend.wasm']);
  });
});

describe('the hasher of pieces', () => {
  it.each([1, 255, 256, 257, 1024, 1500])('gives the root of %d bytes, however they come', (length) => {
    const bytes = seeded('bytes')(length);
    const pieces = [];
    for (let at = 0; at < length; at += 256) pieces.push(bytes.subarray(at, at + 256));
    for (const step of [1, 100, 256, 5000]) {
      const hasher = new PieceHasher(256);
      for (let at = 0; at < length; at += step) hasher.update(bytes.subarray(at, at + step));
      expect(hasher.root()).toEqual(merkleRoot(pieces));
    }
  });
});

describe('a delivery', () => {
  let base: string;
  let folder: string;
  let journal: Journal;
  let store: ManifestStore;
  const around = counted(0);
  const openStore = () => new ManifestStore({ folder, index: journal.manifests, random: around.random });
  beforeEach(() => {
    base = mkdtempSync(join(tmpdir(), 'mu-manifests-'));
    folder = join(base, 'manifests');
    journal = openJournal(join(base, 'journal'), { chainId: 'mu-1', provider: 'mu1p', nodeId: 'n' });
    store = openStore();
  });
  afterEach(async () => {
    await journal.close();
    rmSync(base, { recursive: true });
  });

  const receive = (body: ReturnType<typeof arriving>, facts: Partial<DeploymentFacts> = {}) =>
    receiveDelivery(body, factsOf(built, facts), store);
  /** The code of the refusal; and nothing was stored. */
  const refused = async (body: ReturnType<typeof arriving>, facts: Partial<DeploymentFacts> = {}) => {
    const error = await receive(body, facts).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Refusal);
    expect([readdirSync(folder), store.list(), store.have(key)]).toEqual([[], [], false]);
    return (error as Refusal).code;
  };

  it('leaves nothing behind where the journal does not take it', async () => {
    const full = {
      ...journal.manifests,
      put: () => {
        throw new Error('no room');
      },
    };
    store = new ManifestStore({ folder, index: full, random: around.random });
    await expect(receive(arriving(bodyOf(built)))).rejects.toThrow('no room');
    expect([readdirSync(folder), store.list()]).toEqual([[], []]);
  });

  it('is stored whole, and there again after a restart', async () => {
    await receive(arriving(bodyOf(built)));
    expect([store.have(key), store.have(key, 'main'), store.have(key, 'spare')]).toEqual([true, true, true]);
    expect(store.have({ ...key, revision: 2n })).toBe(false);
    store = openStore();
    const stored = store.load(key)!;
    expect(stored.head).toEqual(built.head);
    expect(stored.keys).toEqual(bundle.keys);
    expect(await moduleOf(stored)).toEqual(module);
    const [name = ''] = readdirSync(folder);
    for (const file of readdirSync(join(folder, name))) {
      expect(statSync(join(folder, name, file)).mode & 0o777).toBe(0o600);
    }
  });

  it('may come in any chunks', async () => {
    await receive(arriving(bodyOf(built), { chunk: 1009 }));
    expect(await moduleOf(store.load(key))).toEqual(module);
  });

  it('is refused with nothing stored when head or lease are wrong', async () => {
    expect(await refused(arriving(bodyOf(built)), { held: [] })).toBe('not_my_lease');
    expect(await refused(arriving(bodyOf(built)), { version: new Uint8Array(32) })).toBe('wrong_hash');
    expect(await refused(arriving(bodyOf(build({ random: seeded('other') }))))).toBe('wrong_hash');
    expect(await refused(arriving(bodyOf(built)), { revision: 3n })).toBe('wrong_revision');
    expect(await refused(arriving(concatBytes(u32be(5), utf8('{"a":'))))).toBe('invalid');
    expect(await refused(arriving(u32be(0xffff_ffff)))).toBe('too_large');
  });

  it('is refused with nothing stored when a file is another one, missing or too long', async () => {
    const path = 'functions/simple_backend.wasm';
    const other = module.slice();
    other[599_999]! ^= 1;
    expect(await refused(arriving(bodyOf(built, { files: new Map([[path, other]]) })))).toBe('wrong_file');
    const named = bodyOf(built);
    expect(await refused(arriving(named.subarray(0, named.length - module.length)))).toBe('incomplete');
    expect(await refused(arriving(concatBytes(bodyOf(built), utf8('x'))))).toBe('incomplete');
  });

  it('is refused with nothing stored when the connection breaks at any place', async () => {
    const body = bodyOf(built);
    for (const breakAt of [0, 3, 100, body.length - module.length, body.length - 1]) {
      expect(await refused(arriving(body, { breakAt }))).toBe('incomplete');
    }
  });

  it('is refused with nothing stored when it is not what was signed', async () => {
    expect(await refused(arriving(bodyOf(built), { sha256: new Uint8Array(32) }))).toBe('incomplete');
  });

  it('comes in parts: what is missing is added, and what is right stays as it is', async () => {
    const facts = factsOf(twoFiles);
    const [first, second] = ['functions/first.wasm', 'functions/second.wasm'].map(
      (path) => [path, filesOf(twoFiles).get(path)!] as const,
    ) as [readonly [string, Uint8Array], readonly [string, Uint8Array]];
    const deliver = (files: readonly (readonly [string, Uint8Array])[], keys: readonly string[]) => {
      const wanted = new Map([...twoFiles.sectionKeys].filter(([name]) => keys.includes(name)));
      return receiveDelivery(arriving(bodyOf(twoFiles, { files: new Map(files), keys: wanted })), facts, store);
    };
    expect((await deliver([], ['main'])).infrastructures).toEqual([]);
    expect((await deliver([second], ['main'])).infrastructures).toEqual([]);
    const { folder: name, infrastructures } = await deliver([first], ['main']);
    expect(infrastructures).toEqual(['main']);
    const inUse = await store.load(key)!.fileOf(first[0]);
    const { ino } = statSync(inUse.path);
    expect((await deliver([first, second], ['main', 'spare'])).infrastructures).toEqual(['main', 'spare']);
    expect(statSync(inUse.path).ino).toBe(ino);
    expect(readdirSync(folder)).toEqual([name]);
    expect(new Uint8Array(readFileSync((await store.load(key)!.fileOf(second[0])).path))).toEqual(second[1]);
    store.remove(key);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is checked where it brings a file that is held already', async () => {
    await receive(arriving(bodyOf(built)));
    const other = module.slice();
    other[0]! ^= 1;
    const again = receive(arriving(bodyOf(built, { files: new Map([['functions/simple_backend.wasm', other]]) })));
    await expect(again).rejects.toMatchObject({ code: 'wrong_file' });
    expect(await moduleOf(store.load(key))).toEqual(module);
    expect(readdirSync(folder)).toEqual([store.list()[0]?.folder]);
  });

  it('is refused with figures where the disk has no room for all files, also those that come from others', async () => {
    store = new ManifestStore({ folder, index: journal.manifests, random: around.random, keepFree: 2 ** 52 });
    expect(await refused(arriving(bodyOf(built, { files: new Map() })))).toBe('too_large');
    await expect(receive(arriving(bodyOf(built)))).rejects.toThrow(/600000 bytes; on this provider’s disk 0 are free/);
  });

  it('removes what a crash left, and what is to be forgotten', async () => {
    await receive(arriving(bodyOf(built)));
    mkdirSync(join(folder, 'abc.incoming'));
    mkdirSync(join(folder, 'f'.repeat(32)));
    store = openStore();
    expect(readdirSync(folder)).toEqual([store.list()[0]?.folder]);
    store.remove(key);
    expect([readdirSync(folder), store.have(key), store.load(key)]).toEqual([[], false, undefined]);
  });

  it('is not given out when the disk has changed it', async () => {
    const record = await receive(arriving(bodyOf(built)));
    const at = (file: string) => join(folder, record.folder, file);
    const bytes = readFileSync(at('file-0'));
    bytes[5]! ^= 1;
    writeFileSync(at('file-0'), bytes);
    await expect(moduleOf(store.load(key))).rejects.toThrow(Refusal);
    expect(store.have(key, 'main')).toBe(false);
    writeFileSync(at('head.json'), '{}');
    expect(() => store.load(key)).toThrow(/hash/);
  });
});
