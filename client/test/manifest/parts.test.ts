import { equalBytes, readU32be, toBase64, toHex, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import fc from 'fast-check';
import { bundleFor, decodeDelivery, encodeDelivery, filesFor } from '../../src/manifest/bundle.ts';
import { ManifestError } from '../../src/manifest/errors.ts';
import { bytesOf } from '../../src/manifest/file-source.ts';
import {
  fileEntry,
  pieceCount,
  pieceProofs,
  RunningHash,
  splitPieces,
  verifyFile,
  verifyPiece,
} from '../../src/manifest/files.ts';
import { manifestLimits } from '../../src/manifest/head.ts';
import { parseManifest } from '../../src/manifest/parse.ts';
import { openSection, sealSection } from '../../src/manifest/sections.ts';
import { deliveryBody } from '../../src/provider/delivery-body.ts';
import { build, module, seeded } from './fixture.ts';

const refused = (code: string) => expect.objectContaining({ name: ManifestError.name, code });

describe('files', () => {
  const entry = fileEntry('a.wasm', module);
  const pieces = splitPieces(module);
  const proofs = pieceProofs(module);

  it('are cut into pieces of 256 KiB', () => {
    expect(pieces.map(({ length }) => length)).toEqual([262_144, 262_144, 75_712]);
    expect(pieceCount(entry)).toBe(3);
  });

  it('are known whole and piece by piece', () => {
    verifyFile(entry, module);
    pieces.forEach((piece, i) => {
      verifyPiece(entry, i, piece, proofs[i]!);
    });
  });

  it('of exactly one and two pieces too', () => {
    for (const size of [1, 262_144, 524_288]) {
      const bytes = module.subarray(0, size);
      const one = fileEntry('x', bytes);
      verifyFile(one, bytes);
      splitPieces(bytes).forEach((piece, i) => {
        verifyPiece(one, i, piece, pieceProofs(bytes)[i]!);
      });
    }
  });

  it('are refused when any byte is another one', () => {
    fc.assert(
      fc.property(fc.nat(module.length - 1), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const other = module.slice();
        other[at] = other[at]! ^ bits;
        expect(() => verifyFile(entry, other)).toThrow(refused('wrong_file'));
        const index = Math.floor(at / manifestLimits.pieceBytes);
        expect(() => verifyPiece(entry, index, splitPieces(other)[index]!, proofs[index]!)).toThrow(
          refused('wrong_file'),
        );
      }),
      { numRuns: 15 },
    );
    expect(() => verifyFile(entry, module.subarray(1))).toThrow(refused('wrong_file'));
  });

  it('have pieces only in their own place', () => {
    expect(() => verifyPiece(entry, 1, pieces[0]!, proofs[0]!)).toThrow(refused('wrong_file'));
    expect(() => verifyPiece(entry, 0, pieces[0]!, proofs[1]!)).toThrow(refused('wrong_file'));
    expect(() => verifyPiece(entry, 3, pieces[2]!, proofs[2]!)).toThrow(refused('wrong_file'));
    expect(() => verifyPiece(entry, -1, pieces[0]!, proofs[0]!)).toThrow(refused('wrong_file'));
    expect(() => verifyPiece(entry, 2, pieces[2]!.subarray(1), proofs[2]!)).toThrow(refused('wrong_file'));
    expect(() => verifyPiece({ ...entry, size: entry.size + 262_144 }, 0, pieces[0]!, proofs[0]!)).toThrow(
      refused('wrong_file'),
    );
  });

  it('are neither empty nor too large', () => {
    expect(() => fileEntry('a', new Uint8Array())).toThrow(refused('too_large'));
    expect(() => new RunningHash('a', manifestLimits.fileBytes + 1)).toThrow(refused('too_large'));
  });
});

describe('sections', () => {
  const built = build();
  const key = (infrastructure: string): Uint8Array => built.sectionKeys.get(infrastructure)!;

  it('open with their key alone', () => {
    expect(openSection(built.head, 'main', key('main'))).toEqual({
      env: { simple_backend: { VAR1: 'value1', VAR2: 'value2' } },
    });
    expect(openSection(built.head, 'spare', key('spare')).env).toHaveProperty('simple_backend');
    expect(() => openSection(built.head, 'main', key('spare'))).toThrow(refused('section'));
    expect(() => openSection(built.head, 'main', key('main').subarray(1))).toThrow(refused('section'));
    expect(() => openSection(built.head, 'moon', key('main'))).toThrow(refused('section'));
  });

  it.each([
    ['chain', { chain_id: 'mu-2' }],
    ['owner', { owner: 'mu1other000' }],
    ['deployment', { dseq: '18' }],
    ['revision', { revision: '2' }],
  ])('open in no other %s', (_, change) => {
    expect(() => openSection({ ...built.head, ...change }, 'main', key('main'))).toThrow(refused('section'));
  });

  it('open in no other infrastructure, and under no other share', () => {
    const [main, spare] = built.head.sections;
    const swapped = [{ ...main!, nonce: spare!.nonce, ciphertext: spare!.ciphertext }, spare!];
    expect(() => openSection({ ...built.head, sections: swapped }, 'main', key('spare'))).toThrow(refused('section'));
    const shared = [{ ...main!, share: 'all' as const }, spare!];
    expect(() => openSection({ ...built.head, sections: shared }, 'main', key('main'))).toThrow(refused('section'));
  });

  it('are refused when any byte of nonce or ciphertext is another one', () => {
    const section = built.head.sections[0]!;
    for (const field of ['nonce', 'ciphertext'] as const) {
      const bytes = Buffer.from(section[field], 'base64');
      for (let at = 0; at < bytes.length; at++) {
        const other = Buffer.from(bytes);
        other[at]! ^= 0x40;
        const sections = [{ ...section, [field]: toBase64(other) }, built.head.sections[1]!];
        expect(() => openSection({ ...built.head, sections }, 'main', key('main'))).toThrow(refused('section'));
      }
    }
  });

  it('give an environment only to services that are there', () => {
    const place = { ...built.head, infrastructure: 'main', share: 'lease' } as const;
    const { section, key: other } = sealSection(place, { env: { nobody: { A: 'b' } } }, seeded('x'));
    const head = { ...built.head, sections: [section, built.head.sections[1]!] };
    expect(() => openSection(head, 'main', other)).toThrow(refused('section'));
  });
});

describe('a delivery', () => {
  const built = build();

  it('has the keys of the lease and the shared ones, and the files that are needed', () => {
    expect([...bundleFor(built, ['main']).keys.keys()]).toEqual(['main', 'spare']);
    expect([...bundleFor(built, ['spare']).keys.keys()]).toEqual(['spare']);
    expect([...bundleFor(built, []).keys.keys()]).toEqual(['spare']);
    expect([...bundleFor(built, []).files.keys()]).toEqual([]);
    expect(filesFor(built.head, ['spare'])).toEqual(built.head.files);
  });

  it('arrives as it was sent', () => {
    const sent = bundleFor(built, ['main']);
    const got = decodeDelivery(encodeDelivery({ ...sent, files: [...sent.files.keys()] }));
    const { head } = parseManifest(got.headBytes, { version: built.version });
    expect(openSection(head, 'main', got.keys.get('main')!).env).toHaveProperty('simple_backend');
    expect([...got.keys].map(([name, key]) => [name, toHex(key)])).toEqual(
      [...sent.keys].map(([name, key]) => [name, toHex(key)]),
    );
  });

  it('has all files, or none, where its receiver hands them on or gets them from others', () => {
    expect([...bundleFor(built, [], 'all').files.keys()]).toEqual(['functions/simple_backend.wasm']);
    const without = bundleFor(built, ['main'], 'none');
    expect([[...without.files.keys()], [...without.keys.keys()]]).toEqual([[], ['main', 'spare']]);
  });

  it('is the message that names its files, and these in their order', async () => {
    const sent = bundleFor(built, ['main']);
    const body = deliveryBody(sent, built.head);
    const bytes = await bytesOf(body);
    expect(bytes.length).toBe(body.size);
    const length = readU32be(bytes);
    expect(decodeDelivery(bytes.subarray(4, 4 + length)).files).toEqual(['functions/simple_backend.wasm']);
    expect(equalBytes(bytes.subarray(4 + length), module)).toBe(true);
  });

  it.each([
    ['a short key', { keys: [{ infrastructure: 'main', key: toBase64(new Uint8Array(31)) }] }],
    ['a key twice', { keys: Array(2).fill({ infrastructure: 'main', key: toBase64(new Uint8Array(32)) }) }],
    ['no base64', { head: '!!!!' }],
    ['another format', { format: 'mu/delivery/1' }],
    ['files without end', { files: Array(manifestLimits.files + 1).fill('a') }],
    ['an unknown field', { more: 1 }],
  ])('is refused with %s', (_, change) => {
    const message = { format: 'mu/delivery/2', head: '', keys: [], files: [], ...change };
    expect(() => decodeDelivery(utf8(canonicalJson(message)))).toThrow(refused('schema'));
  });

  it('is refused when it is too large or no JSON', () => {
    expect(() => decodeDelivery(new Uint8Array(2 * manifestLimits.headBytes))).toThrow(refused('too_large'));
    expect(() => decodeDelivery(utf8('{'))).toThrow(refused('not_canonical'));
  });
});
