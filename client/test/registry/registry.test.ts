import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { RegistryError } from '../../src/registry/errors.ts';
import { parseImageName, parseReference } from '../../src/registry/reference.ts';
import { manifestFacts, pinImage } from '../../src/registry/registry.ts';

const sha = (bytes: string): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const layer = { digest: sha('layer'), size: 1000 };
const manifest = JSON.stringify({
  schemaVersion: 2,
  config: { digest: sha('config'), size: 24 },
  layers: [layer, layer],
});
const index = JSON.stringify({
  schemaVersion: 2,
  manifests: [
    { digest: sha('other'), size: 1, platform: { os: 'linux', architecture: 'arm64' } },
    { digest: sha(manifest), size: manifest.length, platform: { os: 'linux', architecture: 'amd64' } },
  ],
});

let server: Server;
let host: string;
let seen: string[];
/** What the registry demands: nothing, a password, or a token. */
let guard: 'open' | 'basic' | 'bearer';
/** What it gives for a digest instead of what was asked for. */
let forged: string | undefined;

function answer(request: IncomingMessage, response: ServerResponse): unknown {
  const url = new URL(request.url ?? '/', `http://${host}`);
  const { authorization } = request.headers;
  seen.push(`${request.method} ${url.pathname}${url.search}${authorization === undefined ? '' : ` ${authorization}`}`);
  const basic = `Basic ${Buffer.from('me:mine').toString('base64')}`;
  const send = (status: number, body: string, headers: Record<string, string> = {}): unknown =>
    response.writeHead(status, headers).end(body);
  if (url.pathname === '/token') return authorization === basic ? send(200, '{"token":"abc"}') : send(401, '{}');
  const wanted = guard === 'basic' ? basic : guard === 'bearer' ? 'Bearer abc' : undefined;
  if (wanted !== undefined && authorization !== wanted) {
    const how = guard === 'basic' ? 'Basic realm="r"' : `Bearer realm="http://${host}/token",service="s"`;
    return send(401, '{}', { 'www-authenticate': how });
  }
  const found = { latest: index, '1.2': manifest, [sha(index)]: index, [sha(manifest)]: manifest }[
    url.pathname.split('/').at(-1) ?? ''
  ];
  if (found === undefined) return send(404, '{}');
  return send(200, url.pathname.includes('sha256') ? (forged ?? found) : found);
}

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => server.close(resolve)));
beforeEach(() => {
  seen = [];
  guard = 'open';
  forged = undefined;
});

const here = { allowPrivate: true };
const me = { username: 'me', password: 'mine' };

describe('names of images', () => {
  it('are read as the engine reads them', () => {
    const hub = { registry: 'registry-1.docker.io', tag: 'latest', digest: undefined };
    expect(parseImageName('busybox')).toEqual({
      ...hub,
      repository: 'library/busybox',
      canonical: 'docker.io/library/busybox',
    });
    expect(parseImageName('team/app:1.2')).toMatchObject({ repository: 'team/app', tag: '1.2' });
    expect(parseImageName('localhost:5000/app')).toMatchObject({
      registry: 'localhost:5000',
      repository: 'app',
      tag: 'latest',
    });
    expect(parseImageName(`ghcr.io/a/b:x@${sha('')}`)).toMatchObject({
      registry: 'ghcr.io',
      repository: 'a/b',
      digest: sha(''),
    });
  });
  it('that are none are refused', () => {
    for (const text of [
      '',
      'UPPER',
      'a b',
      'a@sha256:1',
      `a@${sha('')}@${sha('')}`,
      '../x',
      'a//b',
      `${'a'.repeat(600)}`,
      'http://a/b',
      '-x.io/a',
    ])
      expect(() => parseImageName(text)).toThrow(RegistryError);
    expect(() => parseReference('busybox:1')).toThrow('has no digest');
  });
});

describe('a tag', () => {
  it('is pinned to the digest of what it stands for', async () => {
    expect(await pinImage(`${host}/team/app`, undefined, here)).toBe(`${host}/team/app@${sha(index)}`);
    expect(await pinImage(`${host}/team/app:1.2`, undefined, here)).toBe(`${host}/team/app@${sha(manifest)}`);
    expect(seen).toEqual(['GET /v2/team/app/manifests/latest', 'GET /v2/team/app/manifests/1.2']);
  });
  it('beside a digest is dropped, and nobody is asked', async () => {
    expect(await pinImage(`${host}/a:1@${sha('x')}`, undefined, here)).toBe(`${host}/a@${sha('x')}`);
    expect(seen).toEqual([]);
  });
  it('of a private image needs the account, by password or by token', async () => {
    for (const how of ['basic', 'bearer'] as const) {
      guard = how;
      expect(await pinImage(`${host}/a`, me, here)).toBe(`${host}/a@${sha(index)}`);
      await expect(pinImage(`${host}/a`, undefined, here)).rejects.toThrow('it needs credentials');
      const wrong = { username: 'me', password: 'no' };
      await expect(pinImage(`${host}/a`, wrong, here)).rejects.toThrow('are not accepted');
    }
    expect(seen).toContain(
      `GET /token?service=s&scope=repository%3Aa%3Apull Basic ${Buffer.from('me:mine').toString('base64')}`,
    );
  });
  it('that does not exist, or whose registry is private, is refused', async () => {
    await expect(pinImage(`${host}/a:none`, undefined, here)).rejects.toThrow('no such image (404)');
    await expect(pinImage(`${host}/a`, undefined, { allowPrivate: false })).rejects.toThrow('address is not public');
  });
});

describe('a manifest', () => {
  const reference = () => parseReference(`${host}/a@${sha(index)}`);
  const options = { ...here, architecture: 'amd64' };
  it('says how much is to be fetched, through the index for this machine', async () => {
    const facts = await manifestFacts(reference(), undefined, options);
    expect(facts).toEqual({ config: sha('config'), bytes: 2024, layers: 2 });
  });
  it('that is another one than its digest says is refused', async () => {
    forged = manifest.replace('1000', '1001');
    await expect(manifestFacts(reference(), undefined, options)).rejects.toThrow('with the digest');
  });
  it('for another machine is refused', async () => {
    const other = { ...options, architecture: 'riscv64' };
    await expect(manifestFacts(reference(), undefined, other)).rejects.toThrow(
      'not for linux/riscv64, only for linux/arm64, linux/amd64',
    );
  });
});
