/**
 * The delegation by which an account lets an ephemeral P-256 key act for it at one provider (design §6, Tenants). The
 * account signs a text that people can read, as ADR-036 has it, so that any Cosmos wallet can show and sign it.
 */
import { fromHex, toHex } from '@mu/lib/bytes';
import { TenantError } from './errors.ts';

/** What a delegated key may do: see state, read logs, run commands, hand over a manifest. */
export const tenantScopes = ['exec', 'logs', 'manifest', 'read'] as const;
export type TenantScope = (typeof tenantScopes)[number];

/** The longest that a delegation holds. */
export const maxDelegationMs = 24 * 60 * 60 * 1000;

/** What the account says. */
export interface Delegation {
  readonly chainId: string;
  /** The provider's owner address. */
  readonly provider: string;
  /** The deployment: its owner, who signs, and its dseq. */
  readonly owner: string;
  readonly dseq: bigint;
  /** Each once, in ascending order. */
  readonly scopes: readonly TenantScope[];
  /** Compressed P-256 point, 33 bytes. */
  readonly publicKey: Uint8Array;
  /** Milliseconds since 1970, whole seconds. */
  readonly issuedMs: number;
  readonly expiresMs: number;
}

const title = 'Mu: let this key act for me at a provider';

/** The text that the account signs: one for each delegation. */
export function delegationText(delegation: Delegation): string {
  return [
    title,
    `chain: ${delegation.chainId}`,
    `provider: ${delegation.provider}`,
    `deployment: ${delegation.owner}/${delegation.dseq}`,
    `may: ${delegation.scopes.join(', ')}`,
    `key: ${toHex(delegation.publicKey)}`,
    `issued: ${isoSeconds(delegation.issuedMs)}`,
    `expires: ${isoSeconds(delegation.expiresMs)}`,
  ].join('\n');
}

const textPattern =
  /^[^\n]{1,100}\nchain: ([\x21-\x7e]{1,50})\nprovider: ([a-z0-9]{8,128})\ndeployment: ([a-z0-9]{8,128})\/([1-9]\d{0,19})\nmay: ([a-z, ]{1,64})\nkey: ([0-9a-f]{66})\nissued: ([0-9TZ:-]{20})\nexpires: ([0-9TZ:-]{20})$/;

/**
 * Reads a delegation's text. Exact: it is refused unless writing the result again gives the same text.
 * @throws TenantError `malformed`, or `lifetime` when it holds for no time or longer than 24 hours
 */
export function parseDelegationText(text: string): Delegation {
  const match = textPattern.exec(text);
  if (match === null) throw new TenantError('malformed', 'the delegation is not of the form that Mu knows');
  const [, chainId, provider, owner, dseq, may, key, issued, expires] = match as unknown as string[];
  const delegation: Delegation = {
    chainId: chainId!,
    provider: provider!,
    owner: owner!,
    dseq: BigInt(dseq!),
    scopes: sortedScopes(may!.split(', ') as TenantScope[]),
    publicKey: fromHex(key!),
    issuedMs: Date.parse(issued!),
    expiresMs: Date.parse(expires!),
  };
  checkLifetime(delegation);
  if (delegationText(delegation) !== text)
    throw new TenantError('malformed', 'the delegation is not in its exact form');
  return delegation;
}

/** @throws TenantError `lifetime` */
export function checkLifetime({ issuedMs, expiresMs }: Pick<Delegation, 'issuedMs' | 'expiresMs'>): void {
  const lifetimeMs = expiresMs - issuedMs;
  // Also false for NaN, where a date does not exist.
  if (lifetimeMs > 0 && lifetimeMs <= maxDelegationMs) return;
  throw new TenantError('lifetime', 'a delegation holds for more than no time and at most 24 hours');
}

/** Known scopes, each once, in ascending order. @throws TenantError `malformed` */
export function sortedScopes(scopes: readonly TenantScope[]): TenantScope[] {
  const unknown = scopes.find((scope) => !tenantScopes.includes(scope));
  if (unknown !== undefined || scopes.length === 0) {
    throw new TenantError(
      'malformed',
      `unknown scope ${JSON.stringify(unknown ?? '')}; allowed: ${tenantScopes.join(', ')}`,
    );
  }
  return tenantScopes.filter((scope) => scopes.includes(scope));
}

function isoSeconds(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? 'never' : date.toISOString().replace(/\.\d{3}Z$/, 'Z');
}
