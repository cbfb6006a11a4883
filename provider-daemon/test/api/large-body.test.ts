/** A body that does not fit into memory: sent as it is taken, given up where it is not, and left where it is refused. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FileSource } from '@mu/client/manifest/file-source';
import { exchangeJson } from '@mu/client/provider/exchange';
import type { ProviderAddress } from '@mu/client/provider/provider-client';
import { ProviderConnectionError, ProviderRefusal } from '@mu/client/provider/provider-client';
import { initIdentity, tlsCredentials } from '../../src/identity/identity.ts';
import { counted } from '../support/surroundings.ts';

const mib = 1024 * 1024;
const name = { chainId: 'mu-1', provider: 'mu1provider00000', nodeId: 'node-1' };
let folder: string;
let server: Server;
let at: ProviderAddress;

async function serve(answer: RequestListener): Promise<void> {
  const identity = await initIdentity(join(folder, 'identity'), name, counted());
  server = createServer({ ...tlsCredentials(identity), ALPNProtocols: ['mu-api/1'] }, answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  at = {
    hostUri: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    chainId: name.chainId,
    provider: name.provider,
    roots: [identity.rootCertificate],
    allowPrivatePeers: true,
  };
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-large-'));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

/** Zero bytes; counts what is read of it the second time, when it is sent and not hashed. */
function zeros(size: number): FileSource & { readonly sent: () => number } {
  const block = new Uint8Array(64 * 1024);
  let times = 0;
  let sent = 0;
  return {
    size,
    sent: () => sent,
    async *chunks() {
      times += 1;
      const isSent = times > 1;
      for (let left = size; left > 0; left -= block.length) {
        yield block;
        if (isSent) sent += block.length;
      }
    },
  };
}

it('arrives whole, with the hash that was signed', async () => {
  await serve(async (incoming, outgoing) => {
    let bytes = 0;
    for await (const chunk of incoming) bytes += (chunk as Uint8Array).length;
    const digest = incoming.headers['content-digest'];
    outgoing.end(JSON.stringify({ bytes, length: incoming.headers['content-length'], digest }));
  });
  expect(await exchangeJson(at, { method: 'PUT', path: '/', body: zeros(8 * mib) })).toEqual({
    bytes: 8 * mib,
    length: String(8 * mib),
    // SHA-256 of eight mebibytes of zeros.
    digest: 'sha-256=:La6x82CVtEsxhBCz9Oi12Yncx7sCPRQmxJLasKMFPnQ=:',
  });
});

it('that nobody takes is given up, and no more of it is read than the line holds', async () => {
  await serve(() => undefined);
  const body = zeros(256 * mib);
  const sending = exchangeJson(at, { method: 'PUT', path: '/', body, stallMs: 250 });
  await expect(sending).rejects.toThrow(/takes no more of the manifest: no byte within 250 ms/);
  await expect(sending).rejects.toBeInstanceOf(ProviderConnectionError);
  expect(body.sent()).toBeLessThan(64 * mib);
});

it('that is refused on its way is not sent to its end', async () => {
  await serve((_incoming, outgoing) => {
    outgoing.writeHead(413, { connection: 'close' }).end(JSON.stringify({ code: 'too_large', error: 'too large' }));
  });
  const body = zeros(256 * mib);
  await expect(exchangeJson(at, { method: 'PUT', path: '/', body })).rejects.toBeInstanceOf(ProviderRefusal);
  expect(body.sent()).toBeLessThan(64 * mib);
});

it('that cannot be read to its end is an error of the sender', async () => {
  await serve((incoming) => void incoming.resume());
  let times = 0;
  const body: FileSource = {
    size: 10,
    async *chunks() {
      times += 1;
      yield new Uint8Array(5);
      if (times > 1) throw new Error('it has become shorter');
      yield new Uint8Array(5);
    },
  };
  await expect(exchangeJson(at, { method: 'PUT', path: '/', body })).rejects.toThrow('it has become shorter');
});
