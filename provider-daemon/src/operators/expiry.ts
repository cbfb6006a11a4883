/** What of a provider ends by itself, and when: certificates by the clock, entries on the chain by height. Pure. */
import { X509Certificate } from 'node:crypto';
import { equalBytes } from '@mu/lib/bytes';
import type { Identity } from '../identity/identity.ts';
import type { Registry } from './facts.ts';

export type ExpiryLevel = 'fine' | 'soon' | 'over';

export interface Expiry {
  /** for metrics: few, and ours */
  readonly kind: 'node_certificate' | 'root_certificate' | 'root_entry' | 'node_entry' | 'encryption_key';
  readonly level: ExpiryLevel;
  /** milliseconds since 1970; of certificates */
  readonly atMs?: number;
  /** last block at which it holds; of entries on the chain */
  readonly lastHeight?: bigint;
  /** what ends, when, and what to do, for people */
  readonly text: string;
}

const dayMs = 86_400_000;
/** The node's certificate is renewed at half of its 30 days: below this, renewals have failed for days. */
export const nodeSoonMs = 10 * dayMs;
/** Whoever has the root has to act in time. */
export const rootSoonMs = 90 * dayMs;
/** Entries on the chain, in parts of a year of blocks: a month. */
const soonPerYear = 12n;

export interface ExpiryInput {
  readonly identity: Identity;
  readonly registry: Registry | undefined;
  /** of the chain */
  readonly height: bigint;
  readonly nowMs: number;
}

/** All of them; those that end first stand first within their level, the worst level first. */
export function expiries(input: ExpiryInput): Expiry[] {
  const order: readonly ExpiryLevel[] = ['over', 'soon', 'fine'];
  const all = [...ofIdentity(input), ...ofRegistry(input)];
  return all.sort((a, b) => order.indexOf(a.level) - order.indexOf(b.level));
}

function ofIdentity({ identity, nowMs }: ExpiryInput): Expiry[] {
  const rootEndMs = new X509Certificate(identity.rootCertificate).validToDate.getTime();
  return [
    byTime('node_certificate', identity.nodeCertificate.notAfterMs, nowMs, {
      soonMs: nodeSoonMs,
      what: 'the node’s TLS certificate',
      todo: `it is renewed with the root’s key: put root.key.pem into ${identity.folder}`,
    }),
    byTime('root_certificate', rootEndMs, nowMs, {
      soonMs: rootSoonMs,
      what: 'the root certificate',
      todo: '`mu-provider rotate root --yes` makes a new one',
    }),
  ];
}

function byTime(
  kind: Expiry['kind'],
  atMs: number,
  nowMs: number,
  { soonMs, what, todo }: { readonly soonMs: number; readonly what: string; readonly todo: string },
): Expiry {
  const level = nowMs >= atMs ? 'over' : atMs - nowMs < soonMs ? 'soon' : 'fine';
  const when = `${level === 'over' ? 'ended' : 'ends'} at ${new Date(atMs).toISOString()}`;
  return { kind, level, atMs, text: `${what} ${when}${level === 'fine' ? '' : `: ${todo}`}` };
}

function ofRegistry({ identity, registry, height }: ExpiryInput): Expiry[] {
  const { provider, node, blocksPerYear = 0n } = registry ?? {};
  if (provider === undefined) return [];
  const soonBlocks = blocksPerYear / soonPerYear;
  const found: Expiry[] = [];
  const add = (kind: Expiry['kind'], lastHeight: bigint, what: string): void => {
    // 0: no end.
    if (lastHeight > 0n) found.push(byHeight({ kind, lastHeight, what }, height, soonBlocks));
  };
  const root = provider.roots.find(({ certificate }) => equalBytes(certificate, identity.rootCertificate));
  add('root_entry', root?.validToHeight ?? 0n, 'the entry of the root certificate on the chain');
  if (node !== undefined) add('node_entry', node.validToHeight, `the entry of node ${node.nodeId} on the chain`);
  const key = provider.encryptionKeys.find(({ publicKey }) => equalBytes(publicKey, identity.encryptionPublicKey));
  add('encryption_key', key?.validToHeight ?? 0n, 'the entry of the encryption key on the chain');
  return found;
}

/** What of the entries is replaced by which command. */
const rotated: Partial<Record<Expiry['kind'], string>> = {
  root_entry: 'root',
  node_entry: 'node',
  encryption_key: 'encryption',
};

function byHeight(
  { kind, lastHeight, what }: { readonly kind: Expiry['kind']; readonly lastHeight: bigint; readonly what: string },
  height: bigint,
  soonBlocks: bigint,
): Expiry {
  const left = lastHeight - height;
  const level = left < 0n ? 'over' : left < soonBlocks ? 'soon' : 'fine';
  const when = level === 'over' ? `ended at height ${lastHeight}` : `ends at height ${lastHeight}, in ${left} blocks`;
  return {
    kind,
    level,
    lastHeight,
    text: `${what} ${when}${level === 'fine' ? '' : `: \`mu-provider rotate ${rotated[kind]} --yes\` enters a new one`}`,
  };
}
