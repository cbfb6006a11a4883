import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { readStackFile } from '../../src/stack/parse.ts';
import { maxProblems, StackError } from '../../src/stack/problems.ts';
import { maxStackBytes } from '../../src/stack/yaml-tree.ts';
import { placesOf, problemsOf, read, sample, withInfrastructure } from './sample.ts';

describe('the sample of the whitepaper', () => {
  it('is valid as it stands', () => {
    expect(read(sample).stack).toEqual({
      name: 'SimpleApp',
      version: '0.1',
      services: [
        {
          type: 'MuFunction',
          name: 'simple_backend',
          binary: 'https://storage-service/code.tar.gz',
          runtime: 'wasi1.0',
          env: { VAR1: 'value1', VAR2: 'value2' },
        },
        {
          type: 'MuGateway',
          name: 'main_gw',
          endpoints: { '/login': { type: ['POST'], route_to: 'simple_backend' } },
        },
        { type: 'MuDb', name: 'main_db' },
      ],
    });
  });

  it('takes env as one map, methods as a list, sizes and times in human units', () => {
    const text = sample
      .replace(
        '[ {VAR1: value1}, {VAR2: value2} ]',
        '{A: 0.10, B: true, C: "", D: 0x10}\n    memory: 64MiB\n    timeout: 500ms',
      )
      .replace('POST', '[GET, POST]');
    const [backend, gateway] = read(text).stack.services;
    expect(backend).toMatchObject({ env: { A: '0.10', B: 'true', C: '', D: '0x10' }, memory: 67108864n, timeout: 500 });
    expect(gateway).toMatchObject({ endpoints: { '/login': { type: ['GET', 'POST'] } } });
  });

  it('reads what is bought in exact numbers', () => {
    const [west] = read(withInfrastructure).stack.infrastructure!;
    const [group] = west!.resources;
    expect(group!.compute).toEqual({
      cpu: 250,
      memory: 1n << 28n,
      disk: 1n << 30n,
      gpu: { count: 1, vendor: 'nvidia' },
    });
    expect(group!.price.toPlain()).toBe('1.5');
    expect(group!.collateral).toBe(1000n);
    expect(west!.usage_limits![0]).toMatchObject({ per: 1000n, max_quantity_per_block: 100n });
  });

  it('reads a Workload with all its fields', () => {
    const text = `${sample}  - type: Workload
    name: web
    container: registry.example/web:1.2
    compute: { cpu: 100m, memory: 128MiB, disk: 1GiB }
    count: 2
    command: [httpd, -f, '80']
    user: 1000
    registry: { username: me, password: mine }
    connections: [{ name: http, port: 80, protocol: http, scope: datacenter }, { name: db, port: 5432, protocol: tcp, scope: workload, from: [web] }]
    egress: public
    volumes: [{ name: data, path: /var/data, size: 1GiB }]
    files: [{ source: models/tiny.gguf, path: /models/tiny.gguf }]
    health: { path: /ok, port: 80, interval: 10s }
    env: { A: b }
`;
    expect(read(text).stack.services[3]).toMatchObject({
      type: 'Workload',
      compute: { cpu: 100 },
      command: ['httpd', '-f', '80'],
      user: '1000',
      health: { interval: 10_000 },
    });
  });
});

/** A Workload with one more key. */
const workload = (more: string): string =>
  `name: A\nversion: 1\nservices:\n  - { type: Workload, name: w, container: a, compute: { cpu: 1, memory: 8MiB }, ${more} }\n`;
const http = '{ name: http, port: 80, protocol: http, scope: global }';
const routeTo = (endpoint: string): string =>
  `${workload(`connections: [${http}]`)}  - { type: MuGateway, name: g, endpoints: { /: ${endpoint} } }\n`;

/** The gateway of the sample with host names of its own. */
const hosts = (list: string): string => sample.replace('name: main_gw\n', `name: main_gw\n    hosts: ${list}\n`);

/** Each mistake, where it is reported, and a word that the allowed values must contain. */
const mistakes: readonly (readonly [string, string, string, string])[] = [
  ['a Workload as root', workload('user: 0'), '4:87', 'above 0'],
  ['a Workload as a named user', workload('user: www'), '4:87', 'uid'],
  ['an empty command', workload('command: []'), '4:90', 'a list of 1'],
  ['a path of the host as image', workload('a: b').replace('container: a', 'container: /bin/sh'), '4:43', 'manifest:'],
  ['an option of the engine', workload('privileged: true'), '4:81', 'volumes'],
  [
    'a volume above the disk',
    workload('volumes: [{ name: v, path: /v, size: 2GiB }]').replace('8MiB', '8MiB, disk: 1GiB'),
    '4:85',
    '2 GiB or more',
  ],
  [
    'two volumes at one place',
    workload('volumes: [{ name: v, path: /v, size: 2MiB }, { name: u, path: /v, size: 2MiB }]'),
    '4:143',
    'each path once',
  ],
  [
    'a port given twice',
    workload(`connections: [${http}, { name: b, port: 80, protocol: tcp, scope: global }]`),
    '4:169',
    'each port once',
  ],
  [
    'a caller that is not there',
    workload('connections: [{ name: b, port: 80, protocol: tcp, scope: workload, from: [x] }]'),
    '4:155',
    'w',
  ],
  [
    'callers of a global connection',
    workload('connections: [{ name: b, port: 80, protocol: tcp, scope: global, from: [w] }]'),
    '4:152',
    'datacenter',
  ],
  ['a route to a port that is not open', routeTo('{ route_to: w, port: 81 }'), '5:70', '80'],
  [
    'a route to a Workload without http',
    routeTo('{ route_to: w }').replace('protocol: http', 'protocol: tcp'),
    '5:61',
    'protocol: http',
  ],
  [
    'a port of a function',
    sample.replace('route_to: simple_backend', 'route_to: simple_backend, port: 80'),
    '11:72',
    'no port',
  ],
  ['an unknown key at the top', `${sample}extra: 1\n`, '13:1', 'infrastructure'],
  ['an unknown key of a service', sample.replace('runtime:', 'cores: 1\n    runtime:'), '7:5', 'timeout'],
  ['a missing key', sample.replace('    name: main_gw\n', ''), '9:5', 'lower-case'],
  ['a wrong type', sample.replace('0.1', '[1]'), '2:10', 'a number like 0.1'],
  ['a number as a name', sample.replace('name: main_db', 'name: 5'), '12:25', 'lower-case'],
  ['a boolean as a name', sample.replace('name: main_db', 'name: true'), '12:25', 'lower-case'],
  ['an unknown type of service', sample.replace('MuDb', 'MuDB'), '12:13', 'MuGateway'],
  ['a service that is no map', sample.replace('{ type: MuDb, name: main_db }', '5'), '12:5', 'MuGateway'],
  ['an unknown runtime', sample.replace('wasi1.0', 'wasi2.0'), '7:14', 'wasi1.0'],
  ['an unknown method', sample.replace('POST', 'PSOT'), '11:34', 'DELETE'],
  ['a dangling route_to', sample.replace('route_to: simple', 'route_to: simpler'), '11:50', 'simple_backend'],
  ['a route to a database', sample.replace('route_to: simple_backend', 'route_to: main_db'), '11:50', 'simple_backend'],
  ['a path without a slash', sample.replace('/login', 'login'), '11:18', '/...'],
  ['a path with dots', sample.replace('/login', '/a/../b'), '11:18', '/...'],
  ['a path with an encoded character', sample.replace('/login', '/a%2fb'), '11:18', '/...'],
  ['a host name in capitals', hosts('[Shop.example.org]'), '11:13', 'lower case'],
  ['a host name of one label', hosts('[localhost]'), '11:13', 'shop.example.org'],
  ['a host name with a dot at its end', hosts('[shop.example.org.]'), '11:13', 'shop.example.org'],
  ['an address as a host name', hosts('[10.0.0.1]'), '11:13', 'shop.example.org'],
  ['any host name', hosts('["*.example.org"]'), '11:13', 'shop.example.org'],
  ['a label of 64 characters', hosts(`[${'a'.repeat(64)}.org]`), '11:13', 'shop.example.org'],
  ['a host name given twice', hosts('[a.example.org, a.example.org]'), '11:28', 'each host name once'],
  ['no host names', hosts('[]'), '11:12', 'a list of 1 to 16'],
  [
    'too many host names',
    hosts(`[${Array.from({ length: 17 }, (_, i) => `h${i}.example.org`).join(', ')}]`),
    '11:12',
    'a list of 1 to 16',
  ],
  ['no endpoints', sample.replace('{ /login: { type: POST, route_to: simple_backend } }', '{}'), '11:16', '1 to 1000'],
  ['a name given twice', sample.replace('main_db', 'main_gw'), '12:25', 'each name once'],
  ['a variable set twice', sample.replace('VAR2', 'VAR1'), '8:29', 'each name once'],
  ['a variable without a value', sample.replace('value1', '~'), '8:19', 'a text'],
  ['a variable with a bad name', sample.replace('VAR2', 'VAR-2'), '8:29', 'letters'],
  [
    'an odd character in a name',
    sample.replace('simple_backend\n', 'simple\\backend\n').replace('to: simple_backend', 'to: x'),
    '5:11',
    'lower-case',
  ],
  ['a capital in a name', sample.replace('main_db', 'Main_db'), '12:25', 'lower-case'],
  ['a binary that is neither', sample.replace('code.tar.gz', 'code.zip'), '6:13', '.wasm'],
  ['a binary by another protocol', sample.replace('https:', 'ftp:'), '6:13', 'http(s)'],
  ['a key twice', `${sample}name: again\n`, '13:1', 'each key once'],
  ['a price of zero', withInfrastructure.replace('price: 1.5', 'price: 0'), '21:16', 'above 0'],
  ['a negative price', withInfrastructure.replace('price: 1.5', 'price: -1'), '21:16', 'above 0'],
  ['a limit with a price of zero', withInfrastructure.replace('max_price: 0.5', 'max_price: 0.0'), '25:52', 'above 0'],
  ['a size without a known unit', withInfrastructure.replace('256MiB', '256 megs'), '20:39', 'MiB'],
  ['too fine a processor', withInfrastructure.replace('cpu: 0.25', 'cpu: 0.0001'), '20:25', '100m'],
  [
    'a service that providers cannot offer',
    withInfrastructure.replace('share: all', 'services: [mu-function, mu-gateway, mu-db, mu-tea]'),
    '17:48',
    'mu-store',
  ],
  [
    'a service left out',
    withInfrastructure.replace('share: all', 'services: [mu-function, mu-db]'),
    '17:15',
    'mu-gateway',
  ],
  [
    'a service in an infrastructure that is not there',
    sample.replace('runtime:', 'infrastructure: [east]\n    runtime:'),
    '7:22',
    'no infrastructure',
  ],
  ['no services', 'name: A\nversion: 1\nservices: []\n', '3:11', 'a list of 1 to 256'],
  ['an empty file', '', '1:1', 'services'],
  ['a list', '- a', '1:1', 'services'],
  ['bad YAML', 'a: [', '1:5', 'YAML'],
  ['a tag', 'name: !!binary aaaa', '1:16', 'tags'],
  ['a directive', '%YAML 1.1\n---\nname: a', '1:1', 'directives'],
  ['two documents', 'name: a\n---\nname: b', '2:1', 'one document'],
  ['an alias without an anchor', sample.replace('value1', '*x'), '8:19', 'anchor'],
  ['a key that is a list', '? [a]\n: 1\n', '1:3', 'texts as keys'],
  ['a key of objects', sample.replace('VAR2: value2', '__proto__: value2'), '8:29', 'a text as key'],
  ['a control character', 'name: a\nversion: \u0001', '2:10', 'printable'],
  ['an escaped NUL', sample.replace('value1', '"a\\0b"'), '8:19', 'without NUL'],
];

describe('every mistake is refused with its place and the allowed values', () => {
  it.each(mistakes)('%s', (_, text, place, allowed) => {
    const problems = problemsOf(text);
    const there = problems.find(({ line, column }) => `${line}:${column}` === place);
    expect(there ?? problems).toMatchObject({ file: 'stack.yaml', allowed: expect.stringContaining(allowed) });
    for (const problem of problems) {
      expect(problem.message).not.toBe('');
      expect(problem.allowed).not.toContain('see docs');
    }
  });

  it('checks what the chain knows', () => {
    const known = {
      regions: ['eu-east', 'us-west'],
      metrics: ['gateway-requests'],
      services: ['mu-function', 'mu-gateway', 'mu-db'],
    };
    expect(problemsOf(withInfrastructure, known).map(({ line, message, allowed }) => [line, message, allowed])).toEqual(
      [
        [15, 'unknown region "eu-west"', 'eu-east, us-west'],
        [25, 'unknown metric "function-invocations"', 'gateway-requests'],
        [27, 'unknown metric "function-invocations"', 'gateway-requests'],
      ],
    );
    expect(problemsOf(withInfrastructure, { regions: ['eu-west'], metrics: ['function-invocations'] })).toEqual([]);
  });

  it('reports all mistakes at once, in the order of the file', () => {
    const text = `${sample.replace('POST', 'PSOT').replace('main_db', 'main_gw').replace('wasi1.0', 'x').replace('VAR2', 'VAR1')}y: 1\n`;
    expect(placesOf(text)).toEqual(['7:14', '8:29', '11:34', '12:25', '13:1']);
  });

  it('stops at fifty', () => {
    const many = Array.from({ length: 80 }, (_, i) => `key${i}: 1`).join('\n');
    expect(problemsOf(many)).toHaveLength(maxProblems);
  });

  it('counts lines of Windows files', () => {
    expect(placesOf(sample.replaceAll('\n', '\r\n').replace('POST', 'PSOT'))).toEqual(['11:34']);
  });
});

describe('bounds', () => {
  it('follows aliases', () => {
    const text = sample
      .replace('{VAR1: value1}', '&one {VAR1: value1}')
      .replace(
        'main_db }',
        'main_db }\n  - { type: Workload, name: w, container: a, compute: { cpu: 1, memory: 1MiB }, env: *one }',
      );
    expect(read(text).stack.services[3]).toMatchObject({ env: { VAR1: 'value1' } });
  });

  it('refuses a bomb of aliases with one problem', () => {
    const bomb = Array.from({ length: 12 }, (_, i) => {
      const inner = i === 0 ? 'x' : `*a${i - 1}`;
      return `k${i}: &a${i} [${Array(9).fill(inner).join(',')}]`;
    }).join('\n');
    expect(problemsOf(bomb)).toMatchObject([{ message: 'aliases make this file too large' }]);
  });

  it('refuses an alias to itself', () => {
    expect(problemsOf('a: &x {b: *x}')).toMatchObject([{ message: 'aliases make this file too large' }]);
  });

  it.each([
    ['too deep', '['.repeat(100_000), 'nested too deep'],
    ['too deep in blocks', `${'- '.repeat(100_000)}x`, 'nested too deep'],
    [
      'too many keys',
      Array.from({ length: 3000 }, (_, i) => `k${i}: 1`).join('\n'),
      'too many entries in one list or map',
    ],
    [
      'too many values',
      `[${Array(300)
        .fill(`[${Array(100).fill('1').join()}]`)
        .join()}]`,
      'too many values',
    ],
    ['too large', `a: ${'x'.repeat(maxStackBytes)}`, 'the file is too large'],
  ])('refuses a file that is %s', (_, text, message) => {
    expect(problemsOf(text)).toMatchObject([{ message }]);
  });

  it('never fails otherwise, whatever the text', () => {
    const pieces = fc.constantFrom(
      'a',
      'name',
      ':',
      ' ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&x',
      '*x',
      '"',
      "'",
      '|',
      '>',
      '#',
      '!',
      '%',
      '?',
      ',',
      '\t',
      '0x1',
      '~',
      'é',
      '\ud800',
      '\u0000',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
        const problems = problemsOf(parts.join(''));
        expect(problems.length).toBeGreaterThan(0);
        for (const { line, column } of problems) expect(line > 0 && column > 0).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('never accepts a sample with a line cut out that it needs', () => {
    const lines = sample.split('\n');
    for (const needed of [0, 1, 4, 5, 6, 9, 10]) {
      expect(problemsOf(lines.filter((_, i) => i !== needed).join('\n'))).not.toEqual([]);
    }
  });
});

describe('readStackFile', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mu-stack-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('reads from the disk', async () => {
    await writeFile(join(folder, 'stack.yaml'), sample);
    expect((await readStackFile(join(folder, 'stack.yaml'))).stack.name).toBe('SimpleApp');
  });

  it.each([
    ['missing.yaml', undefined, /cannot be read/],
    ['latin1.yaml', Buffer.from('name: \xe9', 'latin1'), /not UTF-8/],
    ['large.yaml', Buffer.alloc(maxStackBytes + 1, 0x20), /too large/],
  ])('refuses %s', async (name, bytes, message) => {
    const file = join(folder, name);
    if (bytes !== undefined) await writeFile(file, bytes);
    await expect(readStackFile(file)).rejects.toThrow(StackError);
    await expect(readStackFile(file)).rejects.toThrow(message);
  });
});
