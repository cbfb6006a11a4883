/** What crash.test.ts has done in a process of its own: `crash-program.ts <folder> <step>…`. */
import { join } from 'node:path';
import { merkleProofs } from '@mu/lib/merkle';
import { openJournal } from '../../src/journal/journal.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import { receiveDelivery } from '../../src/manifests/receive.ts';
import { counted } from '../support/surroundings.ts';
import { arriving, bodyOf, factsOf, filesOf, twoFiles } from './fixture.ts';

const [base = '', ...steps] = process.argv.slice(2);
const facts = factsOf(twoFiles);
const { chainId, owner, dseq, revision, version } = facts;
const key = { owner, dseq, revision };
const journal = openJournal(join(base, 'journal'), { chainId, provider: 'mu1p', nodeId: 'n' });
// Names differ from process to process.
const { random } = counted();
const names = (length: number): Uint8Array => random(length).map((byte) => (byte + process.pid) % 256);
const store = new ManifestStore({ folder: join(base, 'manifests'), index: journal.manifests, random: names });
const { headBytes, sectionKeys } = twoFiles;
const files = filesOf(twoFiles);
const pieces = [...files.values()].flatMap((bytes) => {
  const { piece_size: size } = twoFiles.head.files[0]!;
  const cut = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
    bytes.subarray(at * size, (at + 1) * size),
  );
  const { proofs } = merkleProofs(cut);
  return cut.map((piece, at) => ({ bytes: piece, aunts: proofs[at]!.aunts }));
});

async function take(from: number, to: number): Promise<void> {
  const carried = (await store.carried(key))!;
  for (let piece = from; piece < to; piece += 1) {
    const sent = pieces[piece]!;
    if (!carried.verify(piece, sent)) throw new Error(`piece ${piece} is not right`);
    await carried.write(piece, sent.bytes);
  }
}

async function deliver(name: string, infrastructure: string): Promise<void> {
  const path = `functions/${name}.wasm`;
  const keys = new Map([[infrastructure, sectionKeys.get(infrastructure)!]]);
  const body = bodyOf(twoFiles, { files: new Map([[path, files.get(path)!]]), keys });
  await receiveDelivery(arriving(body), facts, store);
}

const does: Readonly<Record<string, () => Promise<unknown>>> = {
  adopt: () => store.adopt({ ...key, chainId, version }, headBytes),
  keys: async () => (await store.carried(key))!.addKeys(sectionKeys),
  'piece-0': () => take(0, 1),
  first: () => take(0, 3),
  second: () => take(3, 8),
  'deliver-first': () => deliver('first', 'main'),
  'deliver-second': () => deliver('second', 'spare'),
};
for (const step of steps) await does[step]!();
await journal.close();
