import { fromHex, toHex, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { manifestVersion } from '@mu/lib/manifest-hash';
import fc from 'fast-check';
import { filesFor } from '../../src/manifest/bundle.ts';
import { ManifestError } from '../../src/manifest/errors.ts';
import { type HashedFile, hashedBytes } from '../../src/manifest/files.ts';
import { type ManifestHead, manifestLimits } from '../../src/manifest/head.ts';
import { parseManifest } from '../../src/manifest/parse.ts';
import { openSection } from '../../src/manifest/sections.ts';
import { read, sample } from '../stack/sample.ts';
import { build, owner, seeded, twoPlaces } from './fixture.ts';

/** The code of the error; undefined when nothing was refused. */
function refusal(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof ManifestError) return error.code;
    throw error;
  }
}

/** A head as the change leaves it, in canonical text. */
function changed(change: (head: ManifestHead) => unknown): Uint8Array {
  const head = structuredClone(build().head);
  const result = change(head);
  return utf8(canonicalJson(typeof result === 'object' ? result : head));
}

describe('a built manifest', () => {
  const built = build();

  it('has the head of design §6', () => {
    expect(built.head).toMatchObject({
      format: 'mu/manifest/1',
      chain_id: 'mu-1',
      owner,
      dseq: '17',
      revision: '1',
      workloads: [
        {
          infrastructure: 'main',
          services: [
            {
              type: 'MuFunction',
              name: 'simple_backend',
              runtime: 'wasi1.0',
              file: 'functions/simple_backend.wasm',
              memory: 134217728,
              timeout_ms: 30_000,
            },
            {
              type: 'MuGateway',
              name: 'main_gw',
              routes: [{ path: '/login', methods: ['POST'], function: 'simple_backend' }],
            },
            { type: 'MuDb', name: 'main_db' },
          ],
        },
        { infrastructure: 'spare' },
      ],
      files: [{ path: 'functions/simple_backend.wasm', size: 600_000, piece_size: 262_144 }],
      sections: [
        { infrastructure: 'main', share: 'lease' },
        { infrastructure: 'spare', share: 'all' },
      ],
    });
    expect(built.head.salt).toMatch(/^[0-9a-f]{64}$/);
    expect([...built.sectionKeys.keys()]).toEqual(['main', 'spare']);
  });

  it('is named by its hash', () => {
    expect(toHex(built.version)).toBe(toHex(manifestVersion(built.headBytes)));
  });

  it('tells nothing of the environment', () => {
    expect(Buffer.from(built.headBytes).toString()).not.toMatch(/value1|VAR1/);
  });

  it('is another one with another salt, and with other keys', () => {
    const again = build({ random: seeded('other') });
    expect(toHex(again.version)).not.toBe(toHex(built.version));
    expect(toHex(again.sectionKeys.get('main')!)).not.toBe(toHex(built.sectionKeys.get('main')!));
  });

  it('needs the binary of every function', () => {
    expect(refusal(() => build({ binaries: new Map() }))).toBe('inconsistent');
    expect(refusal(() => build({ binaries: new Map([['simple_backend', new Uint8Array()]]) }))).toBe('too_large');
  });

  it('has a Workload with the digest of its image', () => {
    const text = `${sample}  - { type: Workload, name: web, container: web, compute: { cpu: 1, memory: 1GiB, gpu: { count: 2 } }, health: { path: /, port: 80 } }\n`;
    const digest = `web@sha256:${'a'.repeat(64)}`;
    const placements = [{ ...twoPlaces[0]!, services: ['simple_backend', 'web'] }];
    const { head } = build({ stack: read(text).stack, placements, images: new Map([['web', digest]]) });
    expect(head.workloads[0]!.services[1]).toMatchObject({
      image: { registry: digest },
      egress: 'none',
      count: 1,
      health: { interval_ms: 30_000 },
    });
  });

  const web = (more = '') =>
    `${sample}  - { type: Workload, name: web, container: web, compute: { cpu: 1, memory: 1GiB }${more} }\n`;
  const digest = `web@sha256:${'a'.repeat(64)}`;
  const placements = [{ ...twoPlaces[0]!, services: ['simple_backend', 'main_gw', 'web'] }];
  const made = (text: string, image: string | HashedFile = digest) =>
    build({ stack: read(text).stack, placements, images: new Map([['web', image]]) });

  it('has no image without a digest, since two holders could run two', () => {
    expect(refusal(() => made(web(), 'web:latest'))).toBe('schema');
  });

  it('carries an archive of an image as a file that its workload names', () => {
    const { head, files } = made(web(), hashedBytes(new Uint8Array([1, 2, 3])));
    expect(head.workloads[0]!.services[2]).toMatchObject({ image: { archive: 'images/web.tar' } });
    expect([...files.keys()]).toEqual(['functions/simple_backend.wasm', 'images/web.tar']);
    expect(filesFor(head, ['main']).map(({ path }) => path)).toEqual([...files.keys()]);
  });

  it('keeps the account at a registry among the secrets', () => {
    const built = made(web(', registry: { username: me, password: mine }'));
    expect(Buffer.from(built.headBytes).includes('mine')).toBe(false);
    const { registries } = openSection(built.head, 'main', built.sectionKeys.get('main')!);
    expect(registries).toEqual({ web: { username: 'me', password: 'mine' } });
  });

  it('gives a workload as much disk as its volumes need, where the stack does not say', () => {
    const volumes = ', volumes: [{ name: a, path: /a, size: 2MiB }, { name: b, path: /b, size: 3MiB }]';
    expect(made(web(volumes)).head.workloads[0]!.services[2]).toMatchObject({ compute: { disk: 5 * 1024 * 1024 } });
  });

  it('has the host names of its gateways as the stack names them', () => {
    const text = sample.replace('name: main_gw\n', 'name: main_gw\n    hosts: [shop.example.org, example.org]\n');
    const { head } = build({ stack: read(text).stack });
    expect(head.workloads[0]!.services[1]).toMatchObject({ hosts: ['shop.example.org', 'example.org'] });
    expect(build().head.workloads[0]!.services[1]).not.toHaveProperty('hosts');
  });

  it.each([
    ['none', []],
    ['one that is no name', ['-.example.org']],
    ['one in capitals', ['Shop.example.org']],
    ['more than 16', Array.from({ length: 17 }, (_, i) => `h${i}.example.org`)],
  ])('refuses host names beyond their form: %s', (_, hosts) => {
    const bytes = changed((head) => Object.assign(head.workloads[0]!.services[1]!, { hosts }) && head);
    expect(refusal(() => parseManifest(bytes))).toBe('schema');
  });

  it('refuses a host name that two doors would answer', () => {
    const bytes = changed((head) => {
      const [first] = head.workloads;
      const gateway = first!.services[1]!;
      first!.services.push({ ...gateway, name: 'other_gw', hosts: ['shop.example.org'] } as typeof gateway);
      Object.assign(gateway, { hosts: ['shop.example.org'] });
      return head;
    });
    expect(refusal(() => parseManifest(bytes))).toBe('inconsistent');
  });

  it('routes to the only http connection of a workload, by every method where none is named', () => {
    const connections = ', connections: [{ name: http, port: 8080, protocol: http, scope: workload, from: [web] }]';
    const text = web(connections).replace(
      '/login: { type: POST, route_to: simple_backend }',
      '/...: { route_to: web }',
    );
    expect(made(text).head.workloads[0]!.services[1]).toMatchObject({
      routes: [{ path: '/...', methods: ['*'], workload: 'web', port: 8080 }],
    });
  });
});

describe('what has been built is read again', () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,10}$/);
  const stacks = fc.record({
    names: fc.uniqueArray(name, { minLength: 1, maxLength: 5 }),
    paths: fc.uniqueArray(fc.stringMatching(/^(\/[a-z0-9~!-]{1,8}){1,3}$/), { minLength: 1, maxLength: 5 }),
    value: fc
      .string({ unit: 'binary', maxLength: 50 })
      .filter((text) => text.isWellFormed() && !text.includes('\u0000')),
    dseq: fc.bigInt(1n, (1n << 64n) - 1n),
    revision: fc.bigInt(1n, (1n << 64n) - 1n),
    module: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    seed: fc.string(),
  });

  it('and gives the same, for any stack', () => {
    fc.assert(
      fc.property(stacks, ({ names, paths, value, dseq, revision, module, seed }) => {
        const services = names.map((one) => ({
          type: 'MuFunction',
          name: one,
          binary: 'x.wasm',
          runtime: 'wasi1.0',
          env: { V: value },
        }));
        const endpoints = Object.fromEntries(
          paths.map((path, i) => [path, { type: 'GET', route_to: names[i % names.length] }]),
        );
        const gateway = { type: 'MuGateway', name: 'the-gateway-of-all', endpoints };
        const { stack } = read(JSON.stringify({ name: 'A', version: 1, services: [...services, gateway] }));
        const placements = [
          { infrastructure: 'main', share: 'lease' as const, services: stack.services.map((one) => one.name) },
        ];
        const binaries = new Map(names.map((one) => [one, module]));
        const built = build({ stack, placements, binaries, dseq, revision, random: seeded(seed) });
        const expected = { version: built.version, chainId: 'mu-1', owner, dseq, revision };
        const { head } = parseManifest(built.headBytes, expected);
        expect(head).toEqual(built.head);
        expect(canonicalJson(head)).toBe(Buffer.from(built.headBytes).toString());
        expect(head.workloads[0]!.services).toHaveLength(names.length + 1);
      }),
      { numRuns: 60 },
    );
  });
});

describe('a head from a stranger', () => {
  const built = build();
  const expected = { version: built.version };

  it('is refused when any byte was changed, removed or put in', () => {
    for (let at = 0; at < built.headBytes.length; at++) {
      const flipped = built.headBytes.slice();
      flipped[at] = flipped[at]! ^ (1 << (at % 8));
      expect(refusal(() => parseManifest(flipped, expected))).toBe('wrong_manifest');
    }
    fc.assert(
      fc.property(fc.nat(built.headBytes.length), fc.uint8Array({ maxLength: 3 }), fc.nat(3), (at, put, cut) => {
        const bytes = Buffer.concat([built.headBytes.subarray(0, at), put, built.headBytes.subarray(at + cut)]);
        fc.pre(!bytes.equals(built.headBytes));
        expect(refusal(() => parseManifest(bytes, expected))).toBe('wrong_manifest');
      }),
    );
  });

  it('has no second text that means the same, hash aside', () => {
    const text = Buffer.from(built.headBytes).toString();
    const spellings = [
      ` ${text}`,
      `${text}\n`,
      `\ufeff${text}`,
      text.replace('"mu-1"', '"mu\\u002d1"'),
      text.replace('"size":600000', '"size":6e5'),
      text.replace('"size":600000', '"size":600000.0'),
      text.replace('"dseq":"17"', '"dseq":"18","dseq":"17"'),
      text.replace('{"chain_id":"mu-1",', '{').replace(/}$/, ',"chain_id":"mu-1"}'),
      text.replace('{"chain_id"', '{"__proto__":{"a":1},"chain_id"'),
      text.replace('"type":"MuDb"', '"__proto__":1,"type":"MuDb"'),
    ];
    for (const spelling of spellings) {
      expect(spelling).not.toBe(text);
      expect(refusal(() => parseManifest(utf8(spelling)))).toMatch(/not_canonical|schema/);
    }
  });

  it('never fails otherwise, and what passes is canonical', () => {
    const text = Buffer.from(built.headBytes);
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.nat(255), (at, byte) => {
        const bytes = new Uint8Array(text);
        bytes[at] = byte;
        if (refusal(() => parseManifest(bytes)) !== undefined) return;
        expect(canonicalJson(parseManifest(bytes).head)).toBe(Buffer.from(bytes).toString());
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['another format', (head: ManifestHead) => ({ ...head, format: 'mu/manifest/2' }), 'schema'],
    ['an unknown key', (head: ManifestHead) => ({ ...head, more: 1 }), 'schema'],
    ['a missing key', ({ salt: _, ...head }: ManifestHead) => head, 'schema'],
    ['a short salt', (head: ManifestHead) => ({ ...head, salt: head.salt.slice(2) }), 'schema'],
    ['a dseq of zero', (head: ManifestHead) => ({ ...head, dseq: '0' }), 'schema'],
    ['a dseq beyond 64 bits', (head: ManifestHead) => ({ ...head, dseq: (1n << 64n).toString() }), 'schema'],
    [
      'another piece size',
      (head: ManifestHead) => ({ ...head, files: [{ ...head.files[0]!, piece_size: 1 }] }),
      'schema',
    ],
    ['an empty file', (head: ManifestHead) => ({ ...head, files: [{ ...head.files[0]!, size: 0 }] }), 'schema'],
    [
      'a file too large',
      (head: ManifestHead) => ({ ...head, files: [{ ...head.files[0]!, size: manifestLimits.fileBytes + 1 }] }),
      'schema',
    ],
    [
      'a path that climbs',
      (head: ManifestHead) => ({ ...head, files: [{ ...head.files[0]!, path: 'a/../../b' }] }),
      'schema',
    ],
    [
      'an absolute path',
      (head: ManifestHead) => ({ ...head, files: [{ ...head.files[0]!, path: '/etc/passwd' }] }),
      'schema',
    ],
    ['no file for a function', (head: ManifestHead) => ({ ...head, files: [] }), 'inconsistent'],
    ['a file twice', (head: ManifestHead) => ({ ...head, files: [head.files[0]!, head.files[0]!] }), 'inconsistent'],
    [
      'a file for nothing',
      (head: ManifestHead) => ({ ...head, files: [...head.files, { ...head.files[0]!, path: 'z' }] }),
      'inconsistent',
    ],
    [
      'an infrastructure twice',
      (head: ManifestHead) => ({ ...head, workloads: [head.workloads[0]!, head.workloads[0]!] }),
      'inconsistent',
    ],
    ['a section missing', (head: ManifestHead) => ({ ...head, sections: head.sections.slice(1) }), 'inconsistent'],
    [
      'sections in another order',
      (head: ManifestHead) => ({ ...head, sections: head.sections.toReversed() }),
      'inconsistent',
    ],
    [
      'a section that is not base64',
      (head: ManifestHead) => ({ ...head, sections: head.sections.map((one) => ({ ...one, nonce: '!'.repeat(16) })) }),
      'schema',
    ],
  ] as const)('is refused with %s', (_, change, code) => {
    expect(refusal(() => parseManifest(changed(change as never)))).toBe(code);
  });

  it.each([
    ['a service twice', (services: { name: string }[]) => services.push(services[2]!)],
    [
      'a route to nothing',
      (services: { name: string }[]) =>
        services.splice(1, 1, {
          ...services[1]!,
          routes: [{ path: '/', methods: ['GET'], function: 'nobody' }],
        } as never),
    ],
    [
      'a route to a database',
      (services: { name: string }[]) =>
        services.splice(1, 1, {
          ...services[1]!,
          routes: [{ path: '/', methods: ['GET'], function: 'main_db' }],
        } as never),
    ],
    [
      'a method twice',
      (services: { name: string }[]) =>
        services.splice(1, 1, {
          ...services[1]!,
          routes: [{ path: '/', methods: ['GET', 'GET'], function: 'simple_backend' }],
        } as never),
    ],
  ])('is refused with %s', (_, change) => {
    const bytes = changed((head) => {
      change(head.workloads[0]!.services);
    });
    expect(refusal(() => parseManifest(bytes))).toBe('inconsistent');
  });

  it('is refused for another deployment, chain or revision', () => {
    for (const other of [
      { chainId: 'mu-2' },
      { owner: 'mu1x' },
      { dseq: 18n },
      { revision: 2n },
      { version: fromHex('00'.repeat(32)) },
    ]) {
      expect(refusal(() => parseManifest(built.headBytes, other))).toBe('wrong_manifest');
    }
    expect(
      refusal(() => parseManifest(built.headBytes, { chainId: 'mu-1', owner, dseq: 17n, revision: 1n })),
    ).toBeUndefined();
  });

  it('is read up to exactly 1 MiB', () => {
    const padded = (size: number): Uint8Array => {
      const empty = changed((head) => {
        head.sections[0]!.ciphertext = '';
      });
      const room = size - empty.length;
      const digits = room - (room % 4);
      const rest = room - digits;
      // Base64 grows by four; the chain id takes up the rest.
      return changed((head) => {
        head.sections[0]!.ciphertext = 'A'.repeat(digits);
        head.chain_id = `mu-1${'x'.repeat(rest)}`;
      });
    };
    expect(padded(manifestLimits.headBytes)).toHaveLength(manifestLimits.headBytes);
    expect(refusal(() => parseManifest(padded(manifestLimits.headBytes)))).toBeUndefined();
    expect(refusal(() => parseManifest(padded(manifestLimits.headBytes + 1)))).toBe('too_large');
  });

  it('is refused when it nests without end or is no JSON', () => {
    for (const text of [
      '['.repeat(1_000_000),
      `${'['.repeat(400_000)}${']'.repeat(400_000)}`,
      '',
      'null',
      '{}',
      '"x"',
    ]) {
      expect(refusal(() => parseManifest(utf8(text)))).toMatch(/not_canonical|schema/);
    }
    expect(refusal(() => parseManifest(new Uint8Array([0x22, 0xff, 0x22])))).toBe('not_canonical');
  });

  describe('with large files', () => {
    const names = [1, 2, 3, 4, 5].map((i) => `w${i}`);
    const workloads = names.map(
      (name) => `{ type: Workload, name: ${name}, container: "manifest:a.tar", compute: { cpu: 1, memory: 1GiB } }`,
    );
    const { stack } = read(`name: A\nversion: 1\nservices: [${workloads.join()}]`);
    const images = new Map(names.map((name) => [name, hashedBytes(new Uint8Array([1]))]));
    const { head } = build({
      stack,
      images,
      placements: [{ infrastructure: 'main', share: 'lease', services: names }],
    });
    const of = (...sizes: readonly (readonly [size: number, pieceSize: number])[]) => {
      const files = head.files.map((file, at) => {
        const [size, piece_size] = sizes[at] ?? [1, 65_536];
        return { ...file, size, piece_size };
      });
      return () => parseManifest(utf8(canonicalJson({ ...head, files })));
    };
    const { fileBytes, leastPieceBytes, mostPieceBytes, pieces } = manifestLimits;

    it('takes the largest ones, in pieces of any size that is allowed', () => {
      expect(of([fileBytes, mostPieceBytes], [fileBytes - 3, mostPieceBytes])().head.files[0]?.size).toBe(fileBytes);
      for (let size: number = leastPieceBytes; size <= mostPieceBytes; size *= 2) expect(of([5, size])).not.toThrow();
    });

    it.each<[string, readonly (readonly [number, number])[], string]>([
      [
        'too many bytes together',
        [
          [fileBytes, mostPieceBytes],
          [fileBytes, mostPieceBytes],
        ],
        'too_large',
      ],
      ['too many pieces together', [[(pieces - 3) * leastPieceBytes, leastPieceBytes]], 'too_large'],
      ['pieces that are too small', [[5, leastPieceBytes / 2]], 'schema'],
      ['pieces that are too large', [[5, mostPieceBytes * 2]], 'schema'],
      ['pieces of no power of two', [[5, leastPieceBytes + 1]], 'schema'],
    ])('is refused with %s', (_, sizes, code) => {
      expect(refusal(of(...sizes))).toBe(code);
    });

    it('takes as many pieces as there may be', () => {
      expect(of([(pieces - 4) * leastPieceBytes, leastPieceBytes])).not.toThrow();
    });
  });

  it('is refused with a function that nobody could read whole', () => {
    const { head } = build();
    const files = head.files.map((file) => ({ ...file, size: manifestLimits.moduleBytes + 1 }));
    expect(refusal(() => parseManifest(utf8(canonicalJson({ ...head, files }))))).toBe('too_large');
  });
});
