import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server, type TlsOptions } from 'node:tls';
import { connectProvider, type ProviderIdentity } from '@mu/client/provider/provider-tls';
import { nodeSignBytes, usageSignBytes } from '@mu/lib/sign-bytes';
import { UsageReport } from '@mu/proto/billing';
import { NodeCertificate } from '@mu/proto/provider';
import {
  type Identity,
  IdentityError,
  initIdentity,
  loadIdentity,
  renewalDueMs,
  renewNodeCertificate,
  signNodeCertificate,
  signUsageReport,
  tlsCredentials,
} from '../../src/identity/identity.ts';
import { counted } from '../support/surroundings.ts';

const name = { chainId: 'mu-1', provider: 'mu1provider00000', nodeId: 'node-1' };
const dayMs = 86_400_000;

let base: string;
let folder: string;
let identity: Identity;
beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'mu-identity-'));
  folder = join(base, 'identity');
  identity = await initIdentity(folder, name, counted());
});
afterAll(() => rmSync(base, { recursive: true }));

describe('a provider’s identity', () => {
  it('stands in files that only their owner may read', () => {
    const names = readdirSync(folder).sort();
    expect(names).toEqual([
      'authority.key.pem',
      'encryption.key.pem',
      'identity.json',
      'node.cert.pem',
      'node.key.pem',
      'root.cert.pem',
      'root.key.pem',
    ]);
    for (const file of names) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(base)).toEqual(['identity']);
  });

  it('is the same when loaded again, and is never overwritten', async () => {
    const again = loadIdentity(folder);
    expect(again.nodePublicKey).toEqual(identity.nodePublicKey);
    expect(again.authorityPublicKey).toHaveLength(32);
    expect(again.encryptionPublicKey).toHaveLength(32);
    expect(again.nodeCertificate).toEqual(identity.nodeCertificate);
    await expect(initIdentity(folder, name, counted())).rejects.toThrow(/never overwritten/);
  });

  it('has a node certificate of 30 days, backdated 5 minutes, that names the node and nobody else', () => {
    const certificate = new X509Certificate(identity.nodeCertificate.der);
    expect(certificate.subjectAltName).toBe('URI:mu://mu-1/mu1provider00000/node-1');
    expect(certificate.ca).toBe(false);
    expect(certificate.publicKey.asymmetricKeyType).toBe('ed25519');
    expect(certificate.validToDate.getTime() - certificate.validFromDate.getTime()).toBe(30 * dayMs);
    const root = new X509Certificate(identity.rootCertificate);
    expect(root.ca).toBe(true);
    expect(root.verify(root.publicKey) && certificate.verify(root.publicKey) && certificate.checkIssued(root)).toBe(
      true,
    );
    expect(identity.rootCertificate.length).toBeLessThan(2048);
  });

  it('signs what the chain verifies, for its own node only', () => {
    const { certificate, signature } = signNodeCertificate(identity, {
      region: 'eu',
      validFromHeight: 5n,
      validToHeight: 900n,
    });
    expect(certificate).toMatchObject({ provider: name.provider, nodeId: 'node-1', publicKey: identity.nodePublicKey });
    const bytes = nodeSignBytes('mu-1', NodeCertificate.encode(certificate).finish());
    expect(verify(null, bytes, rawKey(identity.authorityPublicKey), signature)).toBe(true);
    expect(verify(null, bytes, rawKey(identity.nodePublicKey), signature)).toBe(false);

    const report = UsageReport.fromPartial({ lease: 3n, nodeId: 'node-1', sequence: 1n, fromHeight: 1n, toHeight: 9n });
    const signed = signUsageReport(identity, report);
    const reportBytes = usageSignBytes('mu-1', UsageReport.encode(report).finish());
    expect(verify(null, reportBytes, rawKey(identity.nodePublicKey), signed)).toBe(true);
    expect(() => signUsageReport(identity, { ...report, nodeId: 'node-2' })).toThrow(IdentityError);
  });

  it('refuses names that could pass for others', async () => {
    for (const wrong of [{ chainId: 'mu/1' }, { nodeId: '../x' }, { provider: 'MU' }]) {
      await expect(initIdentity(join(base, 'wrong'), { ...name, ...wrong }, counted())).rejects.toThrow(IdentityError);
    }
    expect(readdirSync(base)).toEqual(['identity']);
  });
});

describe('on disk', () => {
  let own: string;
  beforeEach(async () => {
    own = join(base, 'own');
    await initIdentity(own, name, counted());
  });
  afterEach(() => rmSync(own, { recursive: true }));

  it('serves without the root’s key and the authority’s, and says what it lacks', async () => {
    rmSync(join(own, 'root.key.pem'));
    rmSync(join(own, 'authority.key.pem'));
    const half = loadIdentity(own);
    expect(half.authorityPublicKey).toHaveLength(32);
    const late = counted(renewalDueMs(half) + 1);
    await expect(renewNodeCertificate(half, late)).rejects.toThrow(/root\.key\.pem/);
    expect(() => signNodeCertificate(half, { region: 'eu', validFromHeight: 1n, validToHeight: 2n })).toThrow(
      /authority/,
    );
  });

  it('is refused when others may read it, or when a file is another node’s', () => {
    chmodSync(join(own, 'node.key.pem'), 0o644);
    expect(() => loadIdentity(own)).toThrow(/chmod 600/);
    chmodSync(join(own, 'node.key.pem'), 0o600);
    writeFileSync(join(own, 'node.key.pem'), readFileSync(join(folder, 'node.key.pem')));
    expect(() => loadIdentity(own)).toThrow(/node\.cert\.pem is not of node\.key\.pem/);
    rmSync(join(own, 'node.key.pem'));
    expect(() => loadIdentity(own)).toThrow(/mu-provider init/);
  });

  it('renews its certificate at half of its life, not before, with the same key', async () => {
    const old = loadIdentity(own);
    const due = renewalDueMs(old);
    expect(due - old.nodeCertificate.notBeforeMs).toBe(15 * dayMs);
    expect(await renewNodeCertificate(old, counted(due - 1))).toBe(old);
    const renewed = await renewNodeCertificate(old, counted(due));
    expect(renewed.nodeCertificate.notAfterMs).toBe(Math.floor((due - 300_000) / 1000) * 1000 + 30 * dayMs);
    const reloaded = loadIdentity(own);
    expect(reloaded.nodeCertificate).toEqual(renewed.nodeCertificate);
    expect(reloaded.nodePublicKey).toEqual(old.nodePublicKey);
    expect(readdirSync(own).filter((file) => file.startsWith('node.cert'))).toEqual(['node.cert.pem']);
  });
});

describe('over TLS', () => {
  let server: Server | undefined;
  const sockets = new Set<{ destroy(): void }>();
  afterEach(async () => {
    // A client that was let in by mistake must fail its test and not keep the server open.
    for (const socket of sockets) socket.destroy();
    sockets.clear();
    await new Promise<void>((done) => (server === undefined ? done() : server.close(() => done())));
  });

  const listen = async (options: TlsOptions): Promise<string> => {
    server = createServer({ minVersion: 'TLSv1.3', ALPNProtocols: ['mu-api/1', 'http/1.1'], ...options }, (socket) => {
      socket.on('error', () => undefined);
      sockets.add(socket);
      socket.end('hello');
    });
    await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const expected = (change: Partial<ProviderIdentity> = {}): ProviderIdentity => ({
    chainId: name.chainId,
    provider: name.provider,
    roots: [identity.rootCertificate],
    allowPrivatePeers: true,
    ...change,
  });

  it('is accepted by who has its root from the chain, with TLS 1.3 and the API’s protocol', async () => {
    const uri = await listen(tlsCredentials(identity));
    for (const nodeId of [undefined, 'node-1']) {
      const socket = await connectProvider(uri, expected(nodeId === undefined ? {} : { nodeId }));
      expect([socket.getProtocol(), socket.alpnProtocol, socket.authorized]).toEqual(['TLSv1.3', 'mu-api/1', true]);
      expect(new Uint8Array(socket.getPeerCertificate().raw)).toEqual(identity.nodeCertificate.der);
      socket.destroy();
    }
  });

  it('is refused under another name, another root, or none, and on a private address', async () => {
    const other = await initIdentity(join(base, 'other'), name, counted());
    const uri = await listen(tlsCredentials(identity));
    const refused = (change: Partial<ProviderIdentity>) => expect(connectProvider(uri, expected(change))).rejects;
    await refused({ provider: 'mu1somebodyelse' }).toThrow(/is of URI:mu:\/\/mu-1\/mu1provider00000\/node-1, not of/);
    await refused({ chainId: 'mu-2' }).toThrow(/not of/);
    await refused({ nodeId: 'node-2' }).toThrow(/not of/);
    await refused({ roots: [other.rootCertificate] }).toThrow(/127\.0\.0\.1/);
    await refused({ roots: [] }).toThrow(/no root/);
    await refused({ allowPrivatePeers: false }).toThrow(/private address/);
    rmSync(join(base, 'other'), { recursive: true });
  });

  it('is refused once its certificate has ended', async () => {
    const old = await initIdentity(join(base, 'old'), name, counted(Date.now() - 31 * dayMs));
    const uri = await listen(tlsCredentials(old));
    await expect(connectProvider(uri, expected({ roots: [old.rootCertificate] }))).rejects.toThrow(/expired/);
    rmSync(join(base, 'old'), { recursive: true });
  });

  it('is refused by older TLS and by a server that speaks another protocol', async () => {
    const uri = await listen({ ...tlsCredentials(identity), ALPNProtocols: ['h2'] });
    await expect(connectProvider(uri, expected())).rejects.toThrow(/https:\/\/127\.0\.0\.1/);
  });
});

function rawKey(raw: Uint8Array) {
  const x = Buffer.from(raw).toString('base64url');
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
}
