import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { type LoadOptions, loadBinaries } from '../../src/stack/binaries.ts';
import { parseStack } from '../../src/stack/parse.ts';
import { StackError, type StackProblem } from '../../src/stack/problems.ts';

const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const section = (id: number, content: number[]): number[] => [id, content.length, ...content];

/** A module whose _start does nothing; it may import one function, export other names, begin with more memory. */
function wasm(options: { imports?: readonly [string, string]; start?: string; pages?: number } = {}): Uint8Array {
  const { imports, start = '_start', pages = 1 } = options;
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 0, 0]),
    ...(imports === undefined ? [] : section(2, [1, ...text(imports[0]), ...text(imports[1]), 0, 0])),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, pages]),
    ...section(7, [2, ...text(start), 0, imports === undefined ? 0 : 1, ...text('memory'), 2, 0]),
    ...section(10, [1, 2, 0, 0x0b]),
  ]);
}

async function tarGz(files: Record<string, Uint8Array>): Promise<Buffer> {
  const archive = pack();
  for (const [name, bytes] of Object.entries(files)) archive.entry({ name }, Buffer.from(bytes));
  archive.finalize();
  return gzipSync(await buffer(archive as never));
}

let folder: string;
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mu-binaries-'));
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise((done) => (server === undefined ? done(undefined) : server.close(done)));
  server = undefined;
  await rm(folder, { recursive: true });
});

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((done) => server!.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function stackOf(...binaries: readonly string[]) {
  const services = binaries.map(
    (binary, i) => `  - { type: MuFunction, name: f${i}, runtime: wasi1.0, binary: "${binary}" }\n`,
  );
  return parseStack(`name: A\nversion: 1\nservices:\n${services.join('')}`, { file: join(folder, 'stack.yaml') });
}

const load = (binary: string, options: LoadOptions = {}) =>
  loadBinaries(stackOf(binary), options).then((all) => all.get('f0')!);

async function problemsOf(run: Promise<unknown>): Promise<readonly StackProblem[]> {
  try {
    await run;
    return [];
  } catch (error) {
    if (error instanceof StackError) return error.problems;
    throw error;
  }
}

describe('a binary', () => {
  it('stands beside the stack file', async () => {
    await mkdir(join(folder, 'build'));
    await writeFile(join(folder, 'build', 'f.wasm'), wasm());
    const { bytes, sha256 } = await load('./build/f.wasm');
    expect(Buffer.from(bytes).equals(wasm())).toBe(true);
    expect(sha256).toBe(createHash('sha256').update(wasm()).digest('hex'));
  });

  it('comes from a URL, also by a redirect', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/old.wasm') response.writeHead(302, { location: '/new.wasm?x=1' }).end();
      else response.end(wasm());
    });
    expect((await load(`${url}/old.wasm`)).bytes).toHaveLength(wasm().length);
  });

  it('is the one .wasm of an archive, or the one of the service’s name', async () => {
    const other = wasm({ pages: 2 });
    await writeFile(
      join(folder, 'one.tar.gz'),
      await tarGz({ 'README.md': wasm(), 'bin/any.wasm': other, 'bin/._any.wasm': wasm() }),
    );
    await writeFile(join(folder, 'two.tgz'), await tarGz({ 'a.wasm': wasm(), 'bin/f0.wasm': other }));
    for (const archive of ['one.tar.gz', 'two.tgz'])
      expect(Buffer.from((await load(archive)).bytes).equals(other)).toBe(true);
  });

  it('may be an archive that the server’s compression has unpacked on the way', async () => {
    const archive = await tarGz({ 'f.wasm': wasm() });
    const url = await serve((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(archive));
    expect((await load(`${url}/a.tar.gz`)).bytes).toHaveLength(wasm().length);
  });
});

describe('a binary is refused, with its place in the stack file, when it', () => {
  const write = (name: string, bytes: Uint8Array) => writeFile(join(folder, name), bytes);

  it.each([
    ['is not WebAssembly', Buffer.from('#!/bin/sh\n'), /not a WebAssembly module/, /_start/],
    ['is empty', new Uint8Array(), /not a WebAssembly module/, /_start/],
    ['is cut short', wasm().subarray(0, 20), /damaged/, /_start/],
    ['imports what WASI does not have', wasm({ imports: ['env', 'abort'] }), /env\.abort/, /wasi_snapshot_preview1/],
    ['imports an unknown function of WASI', wasm({ imports: ['wasi_snapshot_preview1', 'fd_tee'] }), /fd_tee/, /wasi/],
    ['has no _start', wasm({ start: 'main' }), /_start/, /_start/],
  ])('%s', async (_, bytes, message, allowed) => {
    await write('f.wasm', bytes);
    const [problem, ...more] = await problemsOf(load('f.wasm'));
    expect(more).toEqual([]);
    expect(problem).toMatchObject({ file: join(folder, 'stack.yaml'), line: 4, column: 61 });
    expect(problem!.message).toMatch(message);
    expect(problem!.allowed).toMatch(allowed);
  });

  it('needs more memory than the function has', async () => {
    await write('f.wasm', wasm({ pages: 17 }));
    const source = `name: A\nversion: 1\nservices: [{ type: MuFunction, name: f0, runtime: wasi1.0, binary: f.wasm, memory: 1MiB }]`;
    const file = parseStack(source, { file: join(folder, 'stack.yaml') });
    expect(await problemsOf(loadBinaries(file))).toMatchObject([{ allowed: expect.stringContaining('`memory`') }]);
    expect((await load('f.wasm')).bytes).toHaveLength(wasm({ pages: 17 }).length);
  });

  it('is missing, a folder, or too large', async () => {
    await mkdir(join(folder, 'd.wasm'));
    await write('f.wasm', wasm());
    expect(await problemsOf(load('none.wasm'))).toMatchObject([
      { message: expect.stringContaining('there is no file') },
    ]);
    expect(await problemsOf(load('d.wasm'))).toMatchObject([{ message: expect.stringContaining('not a file') }]);
    expect(await problemsOf(load('f.wasm', { maxBytes: 10 }))).toMatchObject([{ allowed: 'at most 10 bytes' }]);
  });

  it('is an archive without one module, or a damaged one', async () => {
    await write('none.tar.gz', await tarGz({ 'a.txt': wasm() }));
    await write('many.tar.gz', await tarGz({ 'a.wasm': wasm(), 'b.wasm': wasm() }));
    await write('cut.tar.gz', (await tarGz({ 'a.wasm': wasm() })).subarray(0, 60));
    await write('text.tar.gz', Buffer.alloc(2048, 'x'));
    await write('large.tar.gz', await tarGz({ 'a.wasm': new Uint8Array(5000) }));
    expect(await problemsOf(load('none.tar.gz'))).toMatchObject([{ message: expect.stringContaining('no .wasm') }]);
    expect(await problemsOf(load('many.tar.gz'))).toMatchObject([{ allowed: expect.stringContaining('f0.wasm') }]);
    expect(await problemsOf(load('cut.tar.gz'))).toMatchObject([{ message: expect.stringContaining('damaged') }]);
    expect(await problemsOf(load('text.tar.gz'))).toMatchObject([{ message: expect.stringContaining('damaged') }]);
    expect(await problemsOf(load('large.tar.gz', { maxBytes: 4999 }))).toMatchObject([
      { allowed: 'at most 4999 bytes' },
    ]);
  });

  it('unpacks to more than any archive needs', async () => {
    // A gzip file may have many members (RFC 1952 2.2): a bomb that is made faster than it unpacks.
    const member = gzipSync(Buffer.alloc(1024 * 1024));
    await write('bomb.tar.gz', Buffer.concat(Array.from({ length: 257 }, () => member)));
    expect(await problemsOf(load('bomb.tar.gz'))).toMatchObject([
      { message: expect.stringContaining('when unpacked') },
    ]);
  });

  it('is answered with an error, too slowly, or without end', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/404.wasm') response.writeHead(404).end('no');
      if (request.url === '/long.wasm') response.writeHead(200, { 'content-length': '100' }).end(Buffer.alloc(100));
      if (request.url === '/endless.wasm') {
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
          if (!response.destroyed) response.once('drain', more);
        };
        more();
      }
    });
    const limits = { maxBytes: 99, timeoutMs: 10_000 };
    expect(await problemsOf(load(`${url}/404.wasm`, limits))).toMatchObject([
      { message: expect.stringContaining('404') },
    ]);
    expect(await problemsOf(load(`${url}/long.wasm`, limits))).toMatchObject([{ allowed: 'at most 99 bytes' }]);
    expect(await problemsOf(load(`${url}/endless.wasm`, limits))).toMatchObject([{ allowed: 'at most 99 bytes' }]);
    const slow = { maxBytes: 99, timeoutMs: 50 };
    expect(await problemsOf(load(`${url}/silent.wasm`, slow))).toMatchObject([
      { message: expect.stringContaining('0.05 s') },
    ]);
  });

  it('is at no server', async () => {
    const url = await serve(() => undefined);
    await new Promise((done) => server!.close(done));
    server = undefined;
    expect(await problemsOf(load(`${url}/f.wasm`))).toMatchObject([
      { message: expect.stringContaining('cannot be fetched') },
    ]);
  });

  it('is one of several bad ones: all are reported', async () => {
    await write('good.wasm', wasm());
    const problems = await problemsOf(loadBinaries(stackOf('a.wasm', 'good.wasm', 'b.wasm')));
    expect(problems.map(({ line }) => line)).toEqual([4, 6]);
  });
});
