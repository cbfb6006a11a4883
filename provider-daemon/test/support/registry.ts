/** A small registry (OCI distribution) on loopback, which engines accept without TLS. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Blob, blobOf, type TestImage, types } from './images.ts';

export interface RegistryOptions {
  /** Who may read; anybody where left out. */
  readonly user?: { readonly username: string; readonly password: string };
  /** How it asks: by HTTP's own way, or by a token from another place. */
  readonly auth?: 'basic' | 'bearer';
}

export interface TestRegistry {
  /** `127.0.0.1:port`. */
  readonly host: string;
  /** Puts an image there. @returns its reference by digest */
  add(repository: string, image: TestImage): string;
  /** Puts an index of images for several machines there. @returns its reference */
  addIndex(repository: string, images: readonly { image: TestImage; architecture: string }[]): string;
  /** Another content under a digest. */
  corrupt(digest: string, bytes: Buffer): void;
  /** Holds the answer to requests for blobs back until `release` is called. */
  hold(): { release: () => void };
  /** Paths of all requests, in their order. */
  readonly requests: string[];
  close(): Promise<void>;
}

const token = 'a-token-of-the-registry';

export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const contents = new Map<string, { bytes: Buffer; type: string }>();
  const requests: string[] = [];
  let gate: Promise<void> = Promise.resolve();
  let host = '';

  const put = ({ digest, bytes }: Blob, type: string): void => void contents.set(digest, { bytes, type });
  const refuse = (response: ServerResponse): void => {
    const challenge =
      options.auth === 'bearer'
        ? `Bearer realm="http://${host}/token",service="test",scope="repository:any:pull"`
        : 'Basic realm="test"';
    response.writeHead(401, { 'www-authenticate': challenge }).end('{"errors":[]}');
  };
  const basic = (): string =>
    `Basic ${Buffer.from(`${options.user!.username}:${options.user!.password}`).toString('base64')}`;

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url!, 'http://registry').pathname;
    requests.push(path);
    const { authorization } = request.headers;
    if (path === '/token') {
      if (options.user !== undefined && authorization !== basic()) return refuse(response);
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ token }));
      return;
    }
    const expected = options.auth === 'bearer' ? `Bearer ${token}` : options.user === undefined ? undefined : basic();
    if (expected !== undefined && authorization !== expected) return refuse(response);
    if (path === '/v2/') return void response.writeHead(200).end('{}');
    const [, kind, digest] = /\/(manifests|blobs)\/(sha256:[0-9a-f]{64})$/.exec(path) ?? [];
    const found = contents.get(digest ?? '');
    if (found === undefined) return void response.writeHead(404).end('{"errors":[]}');
    if (kind === 'blobs') await gate;
    response.writeHead(200, {
      'content-type': kind === 'manifests' ? found.type : 'application/octet-stream',
      'content-length': found.bytes.length,
      'docker-content-digest': digest,
    });
    response.end(request.method === 'HEAD' ? undefined : found.bytes);
  };

  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;

  const addImage = (image: TestImage): void => {
    put(image.manifest, types.manifest);
    put(image.config, types.config);
    for (const layer of image.layers) put(layer, types.layer);
  };
  return {
    host,
    requests,
    add: (repository, image) => {
      addImage(image);
      return `${host}/${repository}@${image.manifest.digest}`;
    },
    addIndex: (repository, images) => {
      for (const { image } of images) addImage(image);
      const manifests = images.map(({ image, architecture }) => ({
        mediaType: types.manifest,
        digest: image.manifest.digest,
        size: image.manifest.bytes.length,
        platform: { os: 'linux', architecture },
      }));
      const index = blobOf(Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: types.index, manifests })));
      put(index, types.index);
      return `${host}/${repository}@${index.digest}`;
    },
    corrupt: (digest, bytes) => void contents.set(digest, { ...contents.get(digest)!, bytes }),
    hold: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      gate = promise;
      return { release: resolve };
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
