/** A provider that begins an answer and holds the rest back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { exchangeJson } from '@mu/client/provider/exchange';
import type { ProviderAddress } from '@mu/client/provider/provider-client';
import { apiProtocol } from '@mu/client/provider/provider-tls';
import { initIdentity, tlsCredentials } from '../../src/identity/identity.ts';
import { counted } from '../support/surroundings.ts';

const name = { chainId: 'mu-1', provider: 'mu1provider00000', nodeId: 'node-1' };

let folder: string;
let server: Server;
let status: number;
let at: ProviderAddress;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-slow-'));
  const identity = await initIdentity(join(folder, 'identity'), name, counted());
  const options = { ...tlsCredentials(identity), ALPNProtocols: [apiProtocol] };
  server = createServer(options, (_request, response) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.write('{');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const { chainId, provider } = name;
  const roots = [identity.rootCertificate];
  at = { chainId, provider, hostUri: `https://127.0.0.1:${port}`, roots, allowPrivatePeers: true };
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true });
});

test.each([200, 503])('is not waited for longer than an answer may take, whatever its status is: %i', async (code) => {
  status = code;
  const asked = exchangeJson(at, { method: 'GET', path: '/v1/status', timeoutMs: 2_000 });
  await expect(asked).rejects.toThrow('the answer broke off: it has not ended within 2000 ms');
});
