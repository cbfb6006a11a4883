/** Requests of tenants to a provider: signed by the delegated key, over everything that they are. */
import type { KeyObject } from 'node:crypto';
import type { OfflineAminoSigner } from '@cosmjs/amino';
import { equalBytes, fromBase64, fromHex, fromUtf8, toBase64, toHex, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { sha256 } from '@mu/lib/hashes';
import * as z from 'zod';
import { adr036SignDoc, verifyAdr036 } from './adr036.ts';
import {
  checkLifetime,
  type Delegation,
  delegationText,
  parseDelegationText,
  sortedScopes,
  type TenantScope,
} from './delegation.ts';
import { TenantError } from './errors.ts';
import type { NonceSet } from './nonces.ts';
import { compressedPoint, signP256, verifyP256 } from './p256.ts';

/** The headers of a tenant's request. */
export const tenantHeaders = { delegation: 'mu-delegation', proof: 'mu-proof' } as const;
/** How far the clocks of tenant and provider may differ, and how long a signed request may be on its way. */
export const requestWindowMs = 2 * 60 * 1000;
/** No header of ours is longer. */
const maxHeaderChars = 4096;

/** A delegation that the account, or one of the deployment's access keys, has signed. */
export interface SignedDelegation {
  readonly text: string;
  /** The account's compressed secp256k1 point, or the access key's compressed P-256 point. */
  readonly signer: Uint8Array;
  /** r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
}

/** What a request is, as both sides see it. */
export interface RequestFacts {
  /** Upper-case. */
  readonly method: string;
  /** Path and query as they stand in the request line. */
  readonly path: string;
  /** SHA-256 of the body; of the empty string where there is none. */
  readonly bodyHash: Uint8Array;
  /** SHA-256 of the server's certificate in DER: a request cannot be passed on by another server. */
  readonly certificateHash: Uint8Array;
}

/**
 * Asks the account to sign a delegation.
 * @param signer a wallet; it must sign the document as it is
 * @throws TenantError `malformed` or `lifetime` for a delegation that no provider would accept; Error from the wallet
 */
export async function createDelegation(signer: OfflineAminoSigner, delegation: Delegation): Promise<SignedDelegation> {
  const exact = { ...delegation, scopes: sortedScopes(delegation.scopes) };
  checkLifetime(exact);
  const text = delegationText(exact);
  const { signature } = await signer.signAmino(delegation.owner, adr036SignDoc(delegation.owner, text));
  const signed = { text, signer: fromBase64(signature.pub_key.value), signature: fromBase64(signature.signature) };
  checkSigner(delegation.owner, signed);
  return signed;
}

/** What an access key signs, SHA-256 over it: never what a delegated key signs. */
const accessKeyBytes = (text: string): Uint8Array => utf8(`mu/delegation/1\n${text}`);

/**
 * A delegation signed by an access key of the deployment, for CI and for owners with several keys.
 * @param key private P-256
 * @throws TenantError `malformed` or `lifetime` for a delegation that no provider would accept
 */
export function delegateByAccessKey(key: KeyObject, delegation: Delegation): SignedDelegation {
  const exact = { ...delegation, scopes: sortedScopes(delegation.scopes) };
  checkLifetime(exact);
  const text = delegationText(exact);
  return { text, signer: compressedPoint(key), signature: signP256(key, accessKeyBytes(text)) };
}

/**
 * The headers of a request. @param proof time and 16 random bytes, injected
 * @throws TenantError `malformed` when the key is not the one delegated to
 */
export function signRequest(
  key: KeyObject,
  delegation: SignedDelegation,
  facts: RequestFacts,
  proof: { nowMs: number; nonce: Uint8Array },
): Record<string, string> {
  if (proof.nonce.length !== 16) throw new TenantError('malformed', 'a nonce has 16 bytes');
  if (!equalBytes(parseDelegationText(delegation.text).publicKey, compressedPoint(key))) {
    throw new TenantError('malformed', 'the delegation is for another key');
  }
  const stamp = { nonce: toHex(proof.nonce), time: proof.nowMs };
  const signature = signP256(key, requestBytes(delegation, facts, stamp));
  return {
    [tenantHeaders.delegation]: encode({
      text: delegation.text,
      signer: toHex(delegation.signer),
      signature: toHex(delegation.signature),
    }),
    [tenantHeaders.proof]: encode({ ...stamp, signature: toHex(signature) }),
  };
}

/** What a provider knows when a request comes in. */
export interface RequestExpectation {
  readonly nowMs: number;
  readonly chainId: string;
  /** This provider's owner address. */
  readonly provider: string;
  /** The deployment that the request is about, as the chain has it. */
  readonly owner: string;
  readonly dseq: bigint;
  /** What the request does. */
  readonly scope: TenantScope;
  readonly nonces: NonceSet;
  /** Keys of the deployment that hold now, beside its owner's account. */
  readonly accessKeys?: readonly { readonly publicKey: Uint8Array; readonly scopes: readonly TenantScope[] }[];
  /** Requests signed before are refused: the daemon's start, as it has forgotten earlier nonces. */
  readonly notBeforeMs?: number;
}

const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`));
const delegationSchema = z.strictObject({ text: z.string().max(1024), signer: hex(33), signature: hex(64) });
const proofSchema = z.strictObject({
  nonce: hex(16),
  time: z
    .int()
    .min(0)
    .max(2 ** 45),
  signature: hex(64),
});

/** Who asks: the delegation, and the access key that has signed it; the owner's account where that is absent. */
export interface VerifiedTenant {
  readonly delegation: Delegation;
  readonly accessKey?: Uint8Array;
}

/**
 * Checks a tenant's request. The nonce is used up only when everything else is right.
 * @param headers with lower-case names, as node:http gives them
 * @throws TenantError; `wrong_signer` also for an access key that is not among those that hold
 */
export function verifyRequest(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  facts: RequestFacts,
  expected: RequestExpectation,
): VerifiedTenant {
  const sent = decode(headers, tenantHeaders.delegation, delegationSchema);
  const proof = decode(headers, tenantHeaders.proof, proofSchema);
  const signed = { text: sent.text, signer: fromHex(sent.signer), signature: fromHex(sent.signature) };
  const delegation = parseDelegationText(signed.text);
  checkDelegation(delegation, expected);
  checkFresh(proof.time, expected);
  // The cheap signature first; whoever cannot make it does not cost the dear one.
  if (!verifyP256(delegation.publicKey, requestBytes(signed, facts, proof), fromHex(proof.signature))) {
    throw new TenantError('proof', 'the request was not signed by the delegated key as it arrived');
  }
  const accessKey = checkDelegator(signed, expected);
  const forgetMs = proof.time + requestWindowMs;
  expected.nonces.use(toHex(delegation.publicKey), proof.nonce, forgetMs, expected.nowMs);
  return { delegation, ...(accessKey === undefined ? {} : { accessKey }) };
}

/** @returns the access key that has signed; undefined where the owner's account has */
function checkDelegator(signed: SignedDelegation, { owner, scope, accessKeys }: RequestExpectation) {
  const key = accessKeys?.find(({ publicKey }) => equalBytes(publicKey, signed.signer));
  if (key === undefined) {
    checkSigner(owner, signed);
    return undefined;
  }
  if (!verifyP256(key.publicKey, accessKeyBytes(signed.text), signed.signature)) {
    throw new TenantError('wrong_signer', 'the delegation was not signed by the access key that it names');
  }
  if (!key.scopes.includes(scope)) {
    throw new TenantError('scope', `the access key may ${key.scopes.join(', ')}, not ${scope}`);
  }
  return key.publicKey;
}

function checkDelegation(delegation: Delegation, expected: RequestExpectation): void {
  const { nowMs } = expected;
  if (delegation.chainId !== expected.chainId)
    throw new TenantError('wrong_chain', `the delegation is for chain ${delegation.chainId}`);
  if (delegation.provider !== expected.provider) {
    throw new TenantError('wrong_provider', `the delegation is for provider ${delegation.provider}`);
  }
  if (delegation.owner !== expected.owner || delegation.dseq !== expected.dseq) {
    throw new TenantError(
      'wrong_deployment',
      `the delegation is for deployment ${delegation.owner}/${delegation.dseq}`,
    );
  }
  if (nowMs >= delegation.expiresMs) throw new TenantError('expired', endedText(delegation));
  if (delegation.issuedMs > nowMs + requestWindowMs) {
    throw new TenantError('lifetime', 'the delegation was issued in the future: check the clocks');
  }
  if (!delegation.scopes.includes(expected.scope)) {
    throw new TenantError('scope', `the delegation allows ${delegation.scopes.join(', ')}, not ${expected.scope}`);
  }
}

/** Which one, when, whose. */
function endedText({ owner, dseq, publicKey, expiresMs }: Delegation): string {
  const key = toHex(publicKey).slice(0, 12);
  return `the delegation for deployment ${owner}/${dseq} to the key ${key}… ended at ${new Date(expiresMs).toISOString()}: sign a new one`;
}

function checkFresh(signedMs: number, { nowMs, notBeforeMs }: RequestExpectation): void {
  if (Math.abs(nowMs - signedMs) > requestWindowMs || signedMs < (notBeforeMs ?? 0)) {
    throw new TenantError('stale', 'the request was signed too long ago, or the clocks differ: sign it anew');
  }
}

function checkSigner(owner: string, { text, signer, signature }: SignedDelegation): void {
  if (verifyAdr036(owner, text, signer, signature)) return;
  throw new TenantError('wrong_signer', `the delegation was not signed by ${owner}`);
}

/** What the delegated key signs: one line each, and none of them can contain a line break. */
function requestBytes(
  delegation: SignedDelegation,
  facts: RequestFacts,
  stamp: { nonce: string; time: number },
): Uint8Array {
  if (!/^[A-Z]{1,16}$/.test(facts.method) || !/^\/[\x21-\x7e]{0,2048}$/.test(facts.path)) {
    throw new TenantError('malformed', 'a method is upper-case letters, a path begins with / and is printable ASCII');
  }
  if (facts.bodyHash.length !== 32 || facts.certificateHash.length !== 32)
    throw new TenantError('malformed', 'hashes have 32 bytes');
  return utf8(
    [
      'mu/request/1',
      facts.method,
      facts.path,
      toHex(facts.bodyHash),
      toHex(facts.certificateHash),
      stamp.nonce,
      String(stamp.time),
      toHex(sha256(utf8(delegation.text))),
    ].join('\n'),
  );
}

function encode(value: unknown): string {
  return toBase64(utf8(canonicalJson(value)));
}

function decode<T extends z.ZodType>(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  name: string,
  schema: T,
): z.output<T> {
  const header = headers[name];
  if (typeof header !== 'string' || header.length > maxHeaderChars)
    throw new TenantError('malformed', `the header ${name} is missing or too long`);
  try {
    return schema.parse(JSON.parse(fromUtf8(fromBase64(header))));
  } catch {
    throw new TenantError('malformed', `the header ${name} is not of the form that Mu knows`);
  }
}
