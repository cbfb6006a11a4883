import { createHash, type KeyObject } from 'node:crypto';
import { Secp256k1HdWallet } from '@cosmjs/amino';
import { toBase64, utf8 } from '@mu/lib/bytes';
import { type Delegation, delegationText, maxDelegationMs, parseDelegationText } from '../../src/tenant/delegation.ts';
import { TenantError } from '../../src/tenant/errors.ts';
import { createNonceSet, type NonceSet } from '../../src/tenant/nonces.ts';
import { compressedPoint, generateTenantKey, signP256, verifyP256 } from '../../src/tenant/p256.ts';
import {
  createDelegation,
  delegateByAccessKey,
  type RequestExpectation,
  type RequestFacts,
  requestWindowMs,
  type SignedDelegation,
  signRequest,
  tenantHeaders,
  verifyRequest,
} from '../../src/tenant/request.ts';

const start = Date.parse('2025-06-01T12:00:00Z');
const hash = (text: string): Uint8Array => new Uint8Array(createHash('sha256').update(text).digest());
const provider = 'mu1provider00000';

let wallet: Secp256k1HdWallet;
let stranger: Secp256k1HdWallet;
let owner: string;
let key: KeyObject;
let delegation: Delegation;
let signed: SignedDelegation;
let nonces: NonceSet;
let counter = 0;

beforeAll(async () => {
  wallet = await Secp256k1HdWallet.generate(12, { prefix: 'mu' });
  stranger = await Secp256k1HdWallet.generate(12, { prefix: 'mu' });
  owner = (await wallet.getAccounts())[0]!.address;
  key = generateTenantKey();
  delegation = {
    chainId: 'mu-1',
    provider,
    owner,
    dseq: 17n,
    scopes: ['logs', 'manifest'],
    publicKey: compressedPoint(key),
    issuedMs: start,
    expiresMs: start + maxDelegationMs,
  };
  signed = await createDelegation(wallet, delegation);
});
beforeEach(() => {
  nonces = createNonceSet();
});

const facts = (change: Partial<RequestFacts> = {}): RequestFacts => ({
  method: 'PUT',
  path: '/v1/manifests/17?revision=1',
  bodyHash: hash('body'),
  certificateHash: hash('certificate'),
  ...change,
});

function send(
  options: {
    facts?: RequestFacts;
    signed?: SignedDelegation;
    nowMs?: number;
    nonce?: Uint8Array;
    key?: KeyObject;
  } = {},
) {
  counter += 1;
  const nonce = options.nonce ?? hash(`nonce ${counter}`).subarray(0, 16);
  return signRequest(options.key ?? key, options.signed ?? signed, options.facts ?? facts(), {
    nowMs: options.nowMs ?? start,
    nonce,
  });
}

const expectation = (change: Partial<RequestExpectation> = {}): RequestExpectation => ({
  nowMs: start,
  chainId: 'mu-1',
  provider,
  owner,
  dseq: 17n,
  scope: 'manifest',
  nonces,
  ...change,
});

/** The code of the refusal; undefined when the request passes. */
function refusal(
  headers: Record<string, string>,
  seen: RequestFacts = facts(),
  change: Partial<RequestExpectation> = {},
): string | undefined {
  try {
    verifyRequest(headers, seen, expectation(change));
    return undefined;
  } catch (error) {
    if (error instanceof TenantError) return error.code;
    throw error;
  }
}

/** The headers with a field of one of them changed. */
function changed(
  headers: Record<string, string>,
  name: string,
  change: Record<string, unknown>,
): Record<string, string> {
  const value = JSON.parse(Buffer.from(headers[name]!, 'base64').toString());
  return { ...headers, [name]: toBase64(utf8(JSON.stringify({ ...value, ...change }))) };
}

describe('a tenant’s request', () => {
  it('passes as it was signed, and tells who it is for', () => {
    expect(verifyRequest(send(), facts(), expectation())).toEqual({ delegation });
  });

  it('is read by people before they sign', () => {
    expect(delegationText(delegation).split('\n').slice(0, 5)).toEqual([
      'Mu: let this key act for me at a provider',
      'chain: mu-1',
      `provider: ${provider}`,
      `deployment: ${owner}/17`,
      'may: logs, manifest',
    ]);
    expect(delegationText(delegation)).toContain('expires: 2025-06-02T12:00:00Z');
  });

  it.each([
    ['another chain', { chainId: 'mu-2' }, 'wrong_chain'],
    ['another provider', { provider: 'mu1other000000' }, 'wrong_provider'],
    ['another deployment', { dseq: 18n }, 'wrong_deployment'],
    ['another owner', { owner: 'mu1other000000' }, 'wrong_deployment'],
    ['a scope that was not given', { scope: 'exec' as const }, 'scope'],
  ])('is refused for %s', (_, change, code) => {
    expect(refusal(send(), facts(), change)).toBe(code);
  });

  it('is refused when the delegation has ended', () => {
    const last = start + maxDelegationMs - 1;
    expect(refusal(send({ nowMs: last }), facts(), { nowMs: last })).toBeUndefined();
    expect(refusal(send({ nowMs: last + 1 }), facts(), { nowMs: last + 1 })).toBe('expired');
  });

  it('is refused when the delegation is from the future', () => {
    const early = start - requestWindowMs - 1;
    expect(refusal(send({ nowMs: early }), facts(), { nowMs: early })).toBe('lifetime');
    expect(refusal(send({ nowMs: early + 1 }), facts(), { nowMs: early + 1 })).toBeUndefined();
  });

  it.each([
    ['method', { method: 'DELETE' }],
    ['path', { path: '/v1/manifests/18?revision=1' }],
    ['query', { path: '/v1/manifests/17?revision=2' }],
    ['body', { bodyHash: hash('other body') }],
    ['server’s certificate', { certificateHash: hash('other certificate') }],
  ])('is refused with another %s', (_, change) => {
    expect(refusal(send(), facts(change))).toBe('proof');
  });

  it('is refused a second time', () => {
    const headers = send();
    expect(refusal(headers)).toBeUndefined();
    expect(refusal(headers)).toBe('replayed');
    expect(refusal(headers, facts(), { nowMs: start + requestWindowMs })).toBe('replayed');
    expect(refusal(headers, facts(), { nowMs: start + requestWindowMs + 1 })).toBe('stale');
    expect(refusal(send())).toBeUndefined();
  });

  it('uses up its nonce only when all is right', () => {
    const headers = send();
    expect(refusal(headers, facts({ path: '/x' }))).toBe('proof');
    expect(refusal(headers)).toBeUndefined();
  });

  it('is refused outside of its time, and from before the provider’s start', () => {
    const later = start + 3_600_000;
    expect(refusal(send({ nowMs: later - requestWindowMs - 1 }), facts(), { nowMs: later })).toBe('stale');
    expect(refusal(send({ nowMs: later + requestWindowMs + 1 }), facts(), { nowMs: later })).toBe('stale');
    expect(refusal(send({ nowMs: later - 1 }), facts(), { nowMs: later, notBeforeMs: later })).toBe('stale');
    expect(refusal(send({ nowMs: later }), facts(), { nowMs: later, notBeforeMs: later })).toBeUndefined();
  });

  it('is refused when its time, nonce or signature was changed', () => {
    const headers = send();
    for (const change of [
      { time: start + 1 },
      { nonce: '00'.repeat(16) },
      { signature: '11'.repeat(64) },
      { signature: '00'.repeat(64) },
    ]) {
      expect(refusal(changed(headers, tenantHeaders.proof, change))).toBe('proof');
    }
  });

  it('is refused when another key signed it', () => {
    expect(() => send({ key: generateTenantKey() })).toThrow('another key');
    const other = generateTenantKey();
    const text = delegationText({ ...delegation, publicKey: compressedPoint(other) });
    const forged = send({ key: other, signed: { ...signed, text } });
    expect(refusal(forged)).toBe('wrong_signer');
    expect(refusal(changed(forged, tenantHeaders.delegation, { text: signed.text }))).toBe('proof');
  });
});

describe('a delegation', () => {
  it.each([
    [
      'another signer’s key',
      async () => ({ signer: Buffer.from((await stranger.getAccounts())[0]!.pubkey).toString('hex') }),
    ],
    ['another signature', async () => ({ signature: '22'.repeat(64) })],
    ['a signature of zeros', async () => ({ signature: '00'.repeat(64) })],
  ])('is refused with %s', async (_, change) => {
    expect(refusal(changed(send(), tenantHeaders.delegation, await change()))).toBe('wrong_signer');
  });

  it('is refused from a stranger who names himself', async () => {
    const address = (await stranger.getAccounts())[0]!.address;
    const own = await createDelegation(stranger, { ...delegation, owner: address });
    expect(refusal(send({ signed: own }))).toBe('wrong_deployment');
    // The stranger's signature under the owner's name.
    const text = delegationText(delegation);
    expect(refusal(send({ signed: { ...own, text } }))).toBe('wrong_signer');
  });

  it('is refused when its text was tampered with, even by who holds the key', () => {
    const wider = delegationText({ ...delegation, scopes: ['exec', 'logs', 'manifest'] });
    expect(refusal(send({ signed: { ...signed, text: wider } }), facts(), { scope: 'exec' })).toBe('wrong_signer');
    const longer = delegationText({ ...delegation, issuedMs: start + 1000, expiresMs: start + maxDelegationMs + 1000 });
    expect(refusal(send({ signed: { ...signed, text: longer } }))).toBe('wrong_signer');
  });

  it('has one text: another spelling of it is refused', () => {
    const { text } = signed;
    for (const other of [
      `${text}\n`,
      text.replace('logs, manifest', 'manifest, logs'),
      text.replace('logs, manifest', 'logs, logs, manifest'),
      text.replace('logs, manifest', 'logs, all'),
      text.replace('Mu: let', 'Mu: Let'),
      text.replace('T12:00:00Z', 'T12:00:0aZ'),
      text.replace('2025-06-02', '2025-06-42'),
      text.replace('/17', '/017'),
      text.replaceAll('\n', '\r\n'),
    ]) {
      expect(other).not.toBe(text);
      expect(() => parseDelegationText(other)).toThrow(TenantError);
      expect(refusal(changed(send(), tenantHeaders.delegation, { text: other }))).toMatch(/malformed|lifetime/);
    }
  });

  it('holds for at most 24 hours, whoever signs it', async () => {
    const long = { ...delegation, expiresMs: start + maxDelegationMs + 1000 };
    await expect(createDelegation(wallet, long)).rejects.toMatchObject({ code: 'lifetime' });
    await expect(createDelegation(wallet, { ...delegation, expiresMs: start })).rejects.toMatchObject({
      code: 'lifetime',
    });
    await expect(createDelegation(wallet, { ...delegation, scopes: [] })).rejects.toMatchObject({ code: 'malformed' });
    expect(() => parseDelegationText(delegationText(long))).toThrow(expect.objectContaining({ code: 'lifetime' }));
  });

  it('is refused when the wallet signs something else', async () => {
    const changing = {
      getAccounts: () => wallet.getAccounts(),
      signAmino: (address: string, doc: Parameters<typeof wallet.signAmino>[1]) =>
        wallet.signAmino(address, { ...doc, memo: 'x' }),
    };
    await expect(createDelegation(changing, delegation)).rejects.toMatchObject({ code: 'wrong_signer' });
  });
});

describe('a delegation by an access key', () => {
  const accessKey = generateTenantKey();
  const publicKey = compressedPoint(accessKey);
  const scopes = ['logs', 'read'] as const;
  const byKey = () => delegateByAccessKey(accessKey, delegation);

  it('passes for what the key and the delegation both allow, and tells the key', () => {
    const expected = expectation({ scope: 'logs', accessKeys: [{ publicKey, scopes }] });
    expect(verifyRequest(send({ signed: byKey() }), facts(), expected)).toEqual({ delegation, accessKey: publicKey });
    expect(
      refusal(send({ signed: byKey() }), facts(), { scope: 'manifest', accessKeys: [{ publicKey, scopes }] }),
    ).toBe('scope');
    expect(refusal(send({ signed: byKey() }), facts(), { scope: 'read', accessKeys: [{ publicKey, scopes }] })).toBe(
      'scope',
    );
  });

  it('is refused where the deployment has no such key, and leaves the owner his way', () => {
    expect(refusal(send({ signed: byKey() }), facts(), { scope: 'logs', accessKeys: [] })).toBe('wrong_signer');
    const others = [{ publicKey: compressedPoint(generateTenantKey()), scopes }];
    expect(refusal(send({ signed: byKey() }), facts(), { scope: 'logs', accessKeys: others })).toBe('wrong_signer');
    expect(verifyRequest(send(), facts(), expectation({ scope: 'logs', accessKeys: others }))).toEqual({ delegation });
  });

  it('is refused when what the key signed is another text, or a request', () => {
    const accessKeys = [{ publicKey, scopes }];
    const text = delegationText({ ...delegation, scopes: ['logs'] });
    const other = delegateByAccessKey(accessKey, { ...delegation, scopes: ['logs'] });
    expect(other.text).toBe(text);
    const mixed = { ...byKey(), signature: other.signature };
    expect(refusal(send({ signed: mixed }), facts(), { scope: 'logs', accessKeys })).toBe('wrong_signer');
    // Without what sets it apart the same signature would pass for another thing.
    const bare = { ...byKey(), signature: signP256(accessKey, utf8(byKey().text)) };
    expect(refusal(send({ signed: bare }), facts(), { scope: 'logs', accessKeys })).toBe('wrong_signer');
  });

  it('holds for at most 24 hours too', () => {
    const long = { ...delegation, expiresMs: start + maxDelegationMs + 1000 };
    expect(() => delegateByAccessKey(accessKey, long)).toThrow(expect.objectContaining({ code: 'lifetime' }));
  });
});

it('says of a delegation that has ended whose it was and when', () => {
  const atEnd = expectation({ nowMs: start + maxDelegationMs });
  const late = send({ nowMs: start + maxDelegationMs });
  expect(() => verifyRequest(late, facts(), atEnd)).toThrow(
    new RegExp(`deployment ${owner}/17 to the key [0-9a-f]{12}… ended at 2025-06-02T12:00:00.000Z`),
  );
});

describe('headers', () => {
  it.each([
    ['missing', () => ({})],
    ['one missing', () => ({ [tenantHeaders.proof]: send()[tenantHeaders.proof]! })],
    ['no base64', () => ({ ...send(), [tenantHeaders.proof]: 'a b' })],
    ['no JSON', () => ({ ...send(), [tenantHeaders.proof]: toBase64(utf8('{')) })],
    ['too long', () => ({ ...send(), [tenantHeaders.proof]: 'A'.repeat(8192) })],
    ['with more in them', () => changed(send(), tenantHeaders.proof, { more: 1 })],
    ['with a time that is no number', () => changed(send(), tenantHeaders.proof, { time: '1' })],
  ])('are refused when %s', (_, headers) => {
    expect(refusal(headers() as Record<string, string>)).toBe('malformed');
  });

  it('come once', () => {
    const headers = send();
    const twice = { ...headers, [tenantHeaders.proof]: [headers[tenantHeaders.proof]!, 'x'] };
    expect(() => verifyRequest(twice, facts(), expectation())).toThrow(expect.objectContaining({ code: 'malformed' }));
  });

  it('cannot smuggle a line into what is signed', () => {
    expect(() => send({ facts: facts({ path: '/a\n/b' }) })).toThrow(expect.objectContaining({ code: 'malformed' }));
    expect(() => send({ facts: facts({ method: 'GET\nx' }) })).toThrow(expect.objectContaining({ code: 'malformed' }));
    expect(() => send({ nonce: new Uint8Array(3) })).toThrow(expect.objectContaining({ code: 'malformed' }));
  });
});

describe('nonces', () => {
  it('have a bounded room per key, and never forget early', () => {
    const set = createNonceSet({ perKey: 2, keys: 2 });
    set.use('a', '1', 10, 0);
    set.use('a', '2', 20, 0);
    expect(() => set.use('a', '3', 20, 5)).toThrow(expect.objectContaining({ code: 'busy' }));
    set.use('b', '1', 10, 5);
    expect(() => set.use('c', '1', 20, 5)).toThrow(expect.objectContaining({ code: 'busy' }));
    set.use('a', '3', 20, 11);
    expect(() => set.use('a', '2', 20, 11)).toThrow(expect.objectContaining({ code: 'replayed' }));
    set.use('c', '1', 20, 11);
  });
});

describe('P-256', () => {
  it('refuses points that are not on the curve', () => {
    expect(verifyP256(new Uint8Array(33).fill(2), utf8('x'), new Uint8Array(64).fill(1))).toBe(false);
    expect(verifyP256(new Uint8Array(32), utf8('x'), new Uint8Array(64))).toBe(false);
  });
});
