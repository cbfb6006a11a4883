import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request as plainRequest } from 'node:http';
import { get } from 'node:https';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { Secp256k1HdWallet } from '@cosmjs/amino';
import { jest } from '@jest/globals';
import { bytesSource } from '@mu/client/manifest/file-source';
import { exchangeJson, type TenantAccess } from '@mu/client/provider/exchange';
import {
  leaseStatus,
  logs,
  ProviderConnectionError,
  ProviderRefusal,
  sendManifest,
  status,
} from '@mu/client/provider/provider-client';
import { connectProvider, providerAgent, providerTls } from '@mu/client/provider/provider-tls';
import { maxDelegationMs } from '@mu/client/tenant/delegation';
import { signRequest } from '@mu/client/tenant/request';
import { module, seeded } from '../../../client/test/manifest/fixture.ts';
import { maxBodyBytes, maxDeliveriesPerDeployment } from '../../src/api/handlers.ts';
import { initIdentity, tlsCredentials } from '../../src/identity/identity.ts';
import { bodyOf, moduleOf } from '../manifests/fixture.ts';
import { eventually } from '../network/support/eventually.ts';
import { counted } from '../support/surroundings.ts';
import { createWorld, type World } from './fixture.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

const path = () => `/v1/deployments/${world.owner}/17/manifest`;
const send = async (access?: TenantAccess) =>
  sendManifest(world.at, { access: access ?? (await world.access()), built: world.built, infrastructures: ['main'] });

/** The code that a call is refused with; and nothing was stored. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => new Error('not refused'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProviderRefusal);
  expect([world.stored(), world.taken]).toEqual([[], []]);
  expect((error as ProviderRefusal).hint).not.toBe('');
  return `${(error as ProviderRefusal).status} ${(error as ProviderRefusal).code}`;
}

describe('a manifest over TLS', () => {
  it('is checked, stored, and told of', async () => {
    expect(await send()).toEqual({ revision: 1n, infrastructures: ['main'] });
    expect(world.taken).toMatchObject([{ owner: world.owner, dseq: 17n, revision: 1n }]);
    const stored = world.store.load({ owner: world.owner, dseq: 17n, revision: 1n });
    expect(await moduleOf(stored)).toEqual(module);
  });

  it('is refused where this provider has no live lease, or the deployment does not exist', async () => {
    world.chain.deployment = { ...world.chain.deployment!, held: [] };
    expect(await refusal(send())).toBe('404 not_my_lease');
    world.chain.deployment = undefined;
    expect(await refusal(send())).toBe('404 not_my_lease');
    world.chain.down = true;
    expect(await refusal(send())).toBe('503 chain_unavailable');
  });

  it('is refused when it is not what the chain names', async () => {
    const { deployment } = world.chain;
    world.chain.deployment = { ...deployment!, version: new Uint8Array(32) };
    expect(await refusal(send())).toBe('409 wrong_hash');
    world.chain.deployment = { ...deployment!, revision: 2n };
    expect(await refusal(send())).toBe('409 wrong_revision');
  });

  it('is refused from somebody else, too late, for something else, or without the right', async () => {
    const stranger = await Secp256k1HdWallet.generate(12, { prefix: 'mu' });
    const own = await world.access();
    const theirs = await world.access({}, stranger);
    expect(await refusal(send(theirs))).toBe('403 wrong_deployment');
    // The owner's text under a stranger's signature.
    const forged = { ...own.delegation, signer: theirs.delegation.signer };
    expect(await refusal(send({ ...own, delegation: forged }))).toBe('401 wrong_signer');
    expect(await refusal(send(await world.access({ dseq: 18n })))).toBe('403 wrong_deployment');
    expect(await refusal(send(await world.access({ provider: 'mu1somebodyelse' })))).toBe('403 wrong_provider');
    expect(await refusal(send(await world.access({ chainId: 'mu-2' })))).toBe('403 wrong_chain');
    expect(await refusal(send(await world.access({ scopes: ['logs', 'read'] })))).toBe('403 scope');
    world.clock.nowMs += maxDelegationMs;
    expect(await refusal(send(own))).toBe('401 expired');
  });

  it('is refused without a proof, with one for another body, and with one used before', async () => {
    const access = await world.access();
    const body = Buffer.from(bodyOf(world.built));
    const unsigned = { method: 'PUT', path: path(), body: bytesSource(body) } as const;
    expect(await refusal(exchangeJson(world.at, unsigned))).toBe('400 malformed');
    const headers = await signedHeaders(access, new Uint8Array(32));
    expect(await raw('PUT', path(), { ...headers, ...contentOf(body) }, body)).toBe('401 proof');
    expect(world.stored()).toEqual([]);
    const once = { ...access, random: () => new Uint8Array(16) };
    expect(await leaseStatus(world.at, once, 7n)).toMatchObject({ work: 'waiting' });
    expect(await refusal(leaseStatus(world.at, once, 7n))).toBe('401 replayed');
    world.clock.nowMs += 10 * 60_000;
    expect(await refusal(send({ ...access, now: () => world.clock.nowMs - 5 * 60_000 }))).toBe('401 stale');
  });

  it('is refused when it is too large, of no known length, or another body than was signed', async () => {
    const access = await world.access();
    const body = Buffer.from(bodyOf(world.built));
    const signed = await signedHeaders(access, digestOf(body));
    const large = { ...signed, ...contentOf(body), 'content-length': String(maxBodyBytes + 1) };
    expect(await raw('PUT', path(), large, Buffer.alloc(10))).toBe('413 too_large');
    expect(await raw('PUT', path(), { ...signed, 'transfer-encoding': 'chunked' }, body)).toBe('411 length_required');
    const changed = Buffer.from(body);
    changed[changed.length - 1]! ^= 1;
    expect(await raw('PUT', path(), { ...signed, ...contentOf(body) }, changed)).toBe('422 wrong_file');
    expect(world.stored()).toEqual([]);
  });

  it('leaves nothing when the connection breaks midway, and the next one is taken', async () => {
    const access = await world.access();
    const body = Buffer.from(bodyOf(world.built));
    const socket = await connectProvider(world.at.hostUri, world.at);
    const headers = { ...(await signedHeaders(access, digestOf(body), socket)), ...contentOf(body) };
    const discarded = new Promise<void>((done) => {
      const watch = world.store.begin.bind(world.store);
      world.store.begin = async (accepted) => {
        const incoming = await watch(accepted);
        return {
          ...incoming,
          discard: async () => {
            await incoming.discard();
            done();
          },
        };
      };
    });
    const outgoing = plainRequest({ createConnection: () => socket, method: 'PUT', path: path(), headers });
    outgoing.on('error', () => undefined);
    outgoing.write(body.subarray(0, body.length - 1000), () => socket.destroy());
    await discarded;
    expect([world.stored(), world.taken]).toEqual([[], []]);
    await send();
    expect(world.taken).toHaveLength(1);
  });

  it('of one deployment comes so often at the same time: whoever lets some stand still keeps nobody else out', async () => {
    const body = Buffer.from(bodyOf(world.built));
    const begun = jest.spyOn(world.store, 'begin');
    const still: Socket[] = [];
    for (let count = 0; count < maxDeliveriesPerDeployment; count += 1) {
      const socket = await connectProvider(world.at.hostUri, world.at);
      still.push(socket);
      const headers = { ...(await signedHeaders(await world.access(), digestOf(body), socket)), ...contentOf(body) };
      const outgoing = plainRequest({ createConnection: () => socket, method: 'PUT', path: path(), headers });
      outgoing.on('error', () => undefined);
      outgoing.write(body.subarray(0, body.length - 1000));
    }
    await eventually('they are on their way', () => begun.mock.calls.length === maxDeliveriesPerDeployment);
    await expect(send()).rejects.toMatchObject({ status: 429, code: 'busy' });
    const other = { access: await world.access({ dseq: 18n }), body: bytesSource(body), timeoutMs: 10_000 };
    const asked = exchangeJson(world.at, { method: 'PUT', path: path().replace('/17/', '/18/'), ...other });
    expect(await asked).toMatchObject({ revision: '1' });
    for (const socket of still) socket.destroy();
    await eventually('there is room again', () =>
      send().then(
        () => true,
        () => false,
      ),
    );
  });

  it('is refused by a server that is not the provider, before anything is sent', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mu-other-'));
    const other = await initIdentity(join(folder, 'i'), world.identity.name, counted());
    world.server.renew(tlsCredentials(other));
    await expect(send()).rejects.toBeInstanceOf(ProviderConnectionError);
    world.server.renew(tlsCredentials(world.identity));
    await send();
    rmSync(folder, { recursive: true });
  });
});

it.each([
  // A node's certificate holds 30 days, a root's for years.
  ['expired', -60, /the certificate of mu:\/\/mu-1\/mu1provider00000\/node-1 expired at \d{4}-.*Z: its provider/],
  ['does not hold yet', 60, /(the certificate of mu:|the root certificate ).* holds from \d{4}-.*Z on: your clock/],
])('a certificate that %s is told with whose it is and when', async (_what, days, told) => {
  const folder = mkdtempSync(join(tmpdir(), 'mu-late-'));
  const late = await initIdentity(join(folder, 'i'), world.identity.name, counted(Date.now() + days * 86_400_000));
  world.server.renew(tlsCredentials(late));
  const at = { ...world.at, roots: [late.rootCertificate] };
  await expect(status(at)).rejects.toThrow(told);
  await expect(status(at)).rejects.toBeInstanceOf(ProviderConnectionError);
  rmSync(folder, { recursive: true });
});

describe('what a provider tells', () => {
  it('its state, to everybody, also over plain HTTPS', async () => {
    expect(await status(world.at)).toEqual({
      chainId: 'mu-1',
      provider: 'mu1provider00000',
      nodeId: 'node-1',
      height: 42n,
      leases: 1,
      services: ['mu-function'],
      regions: ['eu'],
    });
    const agent = providerAgent(world.at);
    const viaAgent = await new Promise<IncomingMessage>((done, fail) =>
      get(`${world.at.hostUri}/v1/status`, { agent }, done).on('error', fail),
    );
    expect(viaAgent.resume().statusCode).toBe(200);
    const plain = connect({ ...providerTls(world.at), ALPNProtocols: ['http/1.1'], port: world.server.port });
    await once(plain, 'secureConnect');
    expect(plain.alpnProtocol).toBe('http/1.1');
    plain.end('GET /v1/status HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n');
    let answer = '';
    for await (const chunk of plain) answer += String(chunk);
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*"chain_id":"mu-1"/);
    agent.destroy();
  });

  it('the state of a lease, to its tenant', async () => {
    const access = await world.access();
    expect(await leaseStatus(world.at, access, 7n)).toEqual({
      lease: 7n,
      deployment: `${world.owner}/17`,
      infrastructure: 'main',
      live: true,
      work: 'waiting',
      revision: 0n,
      endpoints: [],
      services: [],
      progress: [],
    });
    world.chain.leaseStatus = { work: 'failed', revision: 1n, reason: 'no memory', endpoints: ['http://a'] };
    expect(await leaseStatus(world.at, access, 7n)).toMatchObject({
      work: 'failed',
      reason: 'no memory',
      revision: 1n,
    });
    expect(await refusal(leaseStatus(world.at, access, 8n))).toBe('404 not_my_lease');
    expect(await refusal(leaseStatus(world.at, await world.access({ scopes: ['logs'] }), 7n))).toBe('403 scope');
  });

  it('nothing at other paths and methods', async () => {
    expect(await raw('GET', '/', {})).toBe('404 not_found');
    expect(await raw('GET', '/v1/leases/07/status', {})).toBe('404 not_found');
    expect(await raw('GET', '/v1/leases/99999999999999999999/status', {})).toBe('400 bad_request');
    expect(await raw('POST', '/v1/status', {})).toBe('405 method_not_allowed');
    expect(await raw('GET', '/v1/leases/7/logs?tail=x', {})).toBe('400 bad_request');
    expect(await raw('GET', '/v1/leases/7/logs?tial=1', {})).toBe('400 bad_request');
  });

  it('nothing to TLS before 1.3', async () => {
    const error = await new Promise<Error>((done) => {
      const socket = connect({
        host: '127.0.0.1',
        port: world.server.port,
        maxVersion: 'TLSv1.2',
        rejectUnauthorized: false,
      });
      socket.once('error', done);
      socket.once('secureConnect', () => done(new Error('connected')));
    });
    expect(error.message).toMatch(/protocol version/);
  });
});

describe('logs', () => {
  const write = (line: string) => world.logs.append(7n, { service: 'f', stream: 'stderr', line });
  const texts = async (options: { tail?: number }) => {
    const found: string[] = [];
    for await (const { line } of logs(world.at, { access: await world.access(), lease: 7n, ...options }))
      found.push(line);
    return found;
  };

  it('are the last lines', async () => {
    for (let i = 1; i <= 7; i++) write(`line ${i}\n"ü"`);
    expect(await texts({})).toEqual([1, 2, 3, 4, 5, 6, 7].map((i) => `line ${i}\n"ü"`));
    expect(await texts({ tail: 2 })).toEqual(['line 6\n"ü"', 'line 7\n"ü"']);
    expect(await texts({ tail: 0 })).toEqual([]);
  });

  it('are followed until the reader goes', async () => {
    write('one');
    const stop = new AbortController();
    const followed = logs(world.at, { access: await world.access(), lease: 7n, follow: true, signal: stop.signal });
    expect((await followed.next()).value).toMatchObject({ service: 'f', stream: 'stderr', line: 'one' });
    const next = followed.next();
    write('two');
    expect((await next).value).toMatchObject({ line: 'two' });
    const last = followed.next();
    stop.abort();
    expect(await last).toEqual({ done: true, value: undefined });
  });

  it('end when the lease is over, and when the server closes', async () => {
    const access = await world.access();
    for (const end of [() => world.logs.forget(7n), () => world.server.close()]) {
      write('one');
      const followed = logs(world.at, { access, lease: 7n, follow: true });
      await followed.next();
      const next = followed.next();
      const ending = end();
      expect((await next).done).toBe(true);
      await ending;
    }
  });

  it('are refused without the right', async () => {
    const access = await world.access({ scopes: ['read'] });
    expect(await refusal(logs(world.at, { access, lease: 7n }).next())).toBe('403 scope');
    expect(await refusal(logs(world.at, { access: await world.access(), lease: 9n }).next())).toBe('404 not_my_lease');
  });
});

const digestOf = (body: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(body).digest());
const contentOf = (body: Uint8Array) => ({
  'content-length': String(body.length),
  'content-digest': `sha-256=:${Buffer.from(digestOf(body)).toString('base64')}:`,
});

async function signedHeaders(
  access: TenantAccess,
  bodyHash: Uint8Array,
  socket?: { getPeerCertificate(): { raw: Buffer } },
) {
  const certificateHash = digestOf(socket?.getPeerCertificate().raw ?? world.identity.nodeCertificate.der);
  const facts = { method: 'PUT', path: path(), bodyHash, certificateHash };
  return signRequest(access.key, access.delegation, facts, { nowMs: world.clock.nowMs, nonce: seeded('nonce')(16) });
}

/** Status and code of a request that is made by hand. */
async function raw(
  method: string,
  target: string,
  headers: Record<string, string>,
  body?: Uint8Array,
): Promise<string> {
  const socket = await connectProvider(world.at.hostUri, world.at);
  const response = await new Promise<IncomingMessage>((done, fail) => {
    const outgoing: ClientRequest = plainRequest(
      { createConnection: () => socket, method, path: target, headers },
      done,
    );
    outgoing.on('error', fail);
    outgoing.end(body);
  });
  let text = '';
  for await (const chunk of response) text += String(chunk);
  socket.destroy();
  return `${response.statusCode} ${(JSON.parse(text) as { code: string }).code}`;
}
