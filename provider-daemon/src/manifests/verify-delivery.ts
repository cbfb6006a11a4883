/** Whether a manifest is the one that the chain names, and is for this provider: a pure check, before any file is read. */
import { ManifestError } from '@mu/client/manifest/errors';
import { type ManifestFile, manifestLimits } from '@mu/client/manifest/head';
import { type Manifest, parseManifest } from '@mu/client/manifest/parse';
import { openSection } from '@mu/client/manifest/sections';
import { equalBytes } from '@mu/lib/bytes';
import { manifestVersion } from '@mu/lib/manifest-hash';
import { checkPieces } from './manifest-folder.ts';
import { Refusal } from './refusal.ts';

/** What the chain says of a deployment, and of this provider in it. */
export interface DeploymentFacts {
  readonly chainId: string;
  readonly owner: string;
  readonly dseq: bigint;
  /** SHA-256 of the manifest, 32 bytes. */
  readonly version: Uint8Array;
  readonly revision: bigint;
  /** This provider's live leases, with the names of their infrastructures. */
  readonly held: readonly { readonly lease: bigint; readonly infrastructure: string }[];
}

/** Head and keys as they came. */
export interface DeliveredHead {
  readonly headBytes: Uint8Array;
  /** Section keys by infrastructure. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /** Paths of the files that follow. */
  readonly files: readonly string[];
}

/** What is right with a delivery, and what must still come. */
export interface AcceptedDelivery {
  readonly manifest: Manifest;
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /** The files that must follow, in this order; the others come from peers. */
  readonly files: readonly ManifestFile[];
}

export type DeliveryCheck =
  | { readonly ok: true; readonly accepted: AcceptedDelivery }
  | { readonly ok: false; readonly refusal: Refusal };

/** Checks head and keys against the chain. Never throws for what a stranger sends. */
export function verifyDelivery(delivered: DeliveredHead, facts: DeploymentFacts): DeliveryCheck {
  try {
    return { ok: true, accepted: accept(delivered, facts) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, refusal: error };
    if (error instanceof ManifestError) return { ok: false, refusal: fromManifestError(error) };
    throw error;
  }
}

/** The refusal for an error of the manifest's own checks. */
export function fromManifestError(error: ManifestError): Refusal {
  switch (error.code) {
    case 'too_large':
      return new Refusal('too_large', error.message);
    case 'wrong_manifest':
      return new Refusal('wrong_hash', error.message);
    case 'wrong_file':
      return new Refusal('wrong_file', error.message);
    case 'section':
      return new Refusal('wrong_key', error.message);
    case 'not_canonical':
    case 'schema':
    case 'inconsistent':
      return new Refusal('invalid', error.message);
  }
}

function accept({ headBytes, keys, files }: DeliveredHead, facts: DeploymentFacts): AcceptedDelivery {
  const infrastructures = [...new Set(facts.held.map(({ infrastructure }) => infrastructure))];
  if (infrastructures.length === 0) {
    throw new Refusal('not_my_lease', `no live lease of ${facts.owner}/${facts.dseq} is held here`);
  }
  if (headBytes.length > manifestLimits.headBytes) {
    throw new Refusal('too_large', `the head has ${headBytes.length} bytes; at most ${manifestLimits.headBytes}`);
  }
  if (!equalBytes(manifestVersion(headBytes), facts.version)) {
    throw new Refusal('wrong_hash', `the manifest is not the one of revision ${facts.revision} on the chain`);
  }
  const manifest = parseManifest(headBytes);
  checkIdentity(manifest, facts);
  checkPieces(manifest.head);
  checkKeys(manifest, keys, infrastructures);
  return { manifest, keys, files: namedFiles(manifest, files) };
}

/** The hash binds the head to the deployment's version; that the head names the deployment too stops a re-use elsewhere. */
function checkIdentity({ head }: Manifest, facts: DeploymentFacts): void {
  if (head.chain_id !== facts.chainId || head.owner !== facts.owner || head.dseq !== String(facts.dseq)) {
    throw new Refusal('wrong_deployment', `the manifest is for ${head.chain_id}, ${head.owner}/${head.dseq}`);
  }
  if (head.revision !== String(facts.revision)) {
    throw new Refusal(
      'wrong_revision',
      `the manifest is of revision ${head.revision}, the chain is at ${facts.revision}`,
    );
  }
}

/**
 * The files that follow, any of the head's in its order.
 * @throws Refusal `invalid` for one that is unknown, named twice or out of order
 */
function namedFiles({ head }: Manifest, paths: readonly string[]): ManifestFile[] {
  let last = -1;
  return paths.map((path) => {
    const at = head.files.findIndex((file) => file.path === path);
    const entry = head.files[at];
    if (entry === undefined) throw new Refusal('invalid', 'the delivery names a file that the manifest does not have');
    if (at <= last) throw new Refusal('invalid', `${path} is named twice, or not in the order of the manifest`);
    last = at;
    return entry;
  });
}

/**
 * No key that must not be known here, and each opens its section. Keys of infrastructures that are served here may be
 * missing where peers may give them; a delivery without any serves nobody where only its user has them.
 */
function checkKeys({ head }: Manifest, keys: DeliveredHead['keys'], infrastructures: readonly string[]): void {
  for (const infrastructure of infrastructures) {
    if (!head.workloads.some((one) => one.infrastructure === infrastructure)) {
      throw new Refusal('invalid', `the manifest has no infrastructure ${infrastructure}, which the chain has`);
    }
  }
  const isShared = (of: string): boolean =>
    head.sections.some(({ infrastructure, share }) => infrastructure === of && share === 'all');
  const needing = infrastructures.find((infrastructure) => !isShared(infrastructure));
  if (keys.size === 0 && needing !== undefined)
    throw new Refusal('missing_key', `no key came, and ${needing} cannot be started without its own`);
  for (const [infrastructure, key] of keys) {
    if (!isShared(infrastructure) && !infrastructures.includes(infrastructure)) {
      throw new Refusal('wrong_key', `the key of ${infrastructure} is not for this provider: it holds no lease of it`);
    }
    openSection(head, infrastructure, key);
  }
}
