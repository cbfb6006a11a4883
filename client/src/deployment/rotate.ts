/**
 * Secrets that are to be changed (design §6): what a provider has held counts as known to it, so once its lease is broken,
 * or was closed since it did not serve, they are known to somebody who is no part of the deployment any more. Pure.
 */
import { canonicalJson } from '@mu/lib/canonical-json';
import { CloseReason, type Lease, LeaseState } from '@mu/proto/market';
import type { BuiltManifest } from '../manifest/build.ts';
import { openSection } from '../manifest/sections.ts';

/** Secrets of an infrastructure that stand as they were when a provider that broke its lease held them. */
export interface RotateMark {
  readonly infrastructure: string;
  readonly provider: string;
  /** The block at which its lease ended. */
  readonly height: bigint;
}

export interface RotateInput {
  readonly leases: readonly Lease[];
  /** The name of a lease's infrastructure. */
  readonly nameOf: (lease: Lease) => string;
  /** The revision that the chain has now. */
  readonly revision: bigint;
  /** The kept manifest of a revision; undefined where it is not kept here. */
  readonly manifestOf: (revision: bigint) => BuiltManifest | undefined;
  /** The revision that was in force at a height; undefined where that is not known here. */
  readonly revisionAt: (height: bigint) => bigint | undefined;
}

/**
 * In ascending order of infrastructure and provider, each pair once with its latest end. Secrets that are others in the
 * revision of now need no change, nor do sections without any. Where the manifests are not kept here, only the lease's own
 * infrastructure is told, until there is a newer revision.
 */
export function rotateMarks(input: RotateInput): RotateMark[] {
  const marks = new Map<string, RotateMark>();
  for (const lease of input.leases.filter(isBreach)) {
    for (const infrastructure of knownTo(lease, input)) {
      const key = `${infrastructure} ${lease.provider}`;
      const height = lease.closedHeight;
      if ((marks.get(key)?.height ?? -1n) < height)
        marks.set(key, { infrastructure, provider: lease.provider, height });
    }
  }
  return [...marks].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, mark]) => mark);
}

const isBreach = ({ state, closeReason }: Lease): boolean =>
  state === LeaseState.LEASE_STATE_BROKEN || closeReason === CloseReason.CLOSE_REASON_NOT_SERVING;

/** Infrastructures whose secrets of now the lease's provider has had. */
function knownTo(lease: Lease, { nameOf, revision, manifestOf, revisionAt }: RotateInput): string[] {
  // What it last confirmed may be older than what it was given.
  const held = revisionAt(lease.closedHeight) ?? (lease.manifestRevision > 0n ? lease.manifestRevision : 1n);
  const own = nameOf(lease);
  const [then, now] = [manifestOf(held), manifestOf(revision)];
  if (then === undefined || now === undefined) return held < revision ? [] : [own];
  return then.head.sections
    .filter(({ infrastructure, share }) => share === 'all' || infrastructure === own)
    .map(({ infrastructure }) => infrastructure)
    .filter((name) => {
      const had = secretsOf(then, name);
      return had !== undefined && had === secretsOf(now, name);
    });
}

/** The secrets of an infrastructure as one text; undefined where it has none. */
function secretsOf({ head, sectionKeys }: BuiltManifest, infrastructure: string): string | undefined {
  const key = sectionKeys.get(infrastructure);
  if (key === undefined) return undefined;
  const content = openSection(head, infrastructure, key);
  const isEmpty = Object.keys(content.env).length === 0 && Object.keys(content.registries ?? {}).length === 0;
  return isEmpty ? undefined : canonicalJson(content);
}
