/** Everything that happens before a deployment is signed: what is wrong is found here, and nothing has been sent. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { EncodeObject } from '@cosmjs/proto-signing';
import { toEncodeObject } from '@mu/client/chain/registry';
import { ManifestFolder } from '@mu/client/deployment/manifest-folder';
import { marketFacts } from '@mu/client/deployment/market-facts';
import { type BuiltManifest, buildManifest } from '@mu/client/manifest/build';
import { saysTheSame } from '@mu/client/manifest/compare';
import { pinImage } from '@mu/client/registry/registry';
import { loadBinaries } from '@mu/client/stack/binaries';
import { deriveDeployment } from '@mu/client/stack/derive';
import { type Choices, type DerivedDeployment, DeriveError } from '@mu/client/stack/derive-types';
import { loadImages } from '@mu/client/stack/images';
import { loadMountedFiles } from '@mu/client/stack/mounted-files';
import { readStackFile } from '@mu/client/stack/parse';
import { StackError } from '@mu/client/stack/problems';
import { withRoomForFiles } from '@mu/client/stack/standby';
import { equalBytes } from '@mu/lib/bytes';
import { type Deployment, MsgSubmitDeployment, MsgUpdateDeployment } from '@mu/proto/deployment';
import { usageError } from './errors.ts';
import { sealFor } from './seal.ts';
import type { Session } from './session.ts';

export interface Prepared {
  readonly dseq: bigint;
  readonly derived: DerivedDeployment;
  readonly built: BuiltManifest;
  readonly message: EncodeObject;
  /** Keeps the manifest with its keys in the user's folder. @returns it, with the files that are kept */
  keep(): Promise<BuiltManifest>;
}

export function manifestFolder(session: Session): ManifestFolder {
  return new ManifestFolder(join(session.config.home, 'manifests'));
}

/** A stack file, the owner, and what he chose. */
export interface Wanted {
  readonly stackFile: string;
  readonly owner: string;
  readonly choices: { readonly flags: Choices; readonly config: Choices };
}

/** An update, ready to be signed. */
export interface PreparedUpdate {
  readonly deployment: Deployment;
  readonly derived: DerivedDeployment;
  /** what providers are to hold: the new manifest, or the kept one where it says the same */
  readonly built: BuiltManifest;
  readonly manifestChanges: boolean;
  readonly message: EncodeObject;
  /** As above; `built` where it stays. */
  keep(): Promise<BuiltManifest>;
}

/** @throws CliError with every mistake of the stack file, its place and what is allowed */
export async function prepareDeployment(
  session: Session,
  wanted: Wanted & { readonly dseq: bigint | undefined; readonly seals?: boolean },
): Promise<Prepared> {
  const client = await session.client();
  const read = await readAll(session, wanted);
  const dseq = wanted.dseq ?? (await nextDseq(session, wanted.owner));
  const built = build(client.chainId, wanted.owner, read, { dseq, revision: 1n });
  const { derived, file } = read;
  const sealedManifest = wanted.seals === true ? await sealFor(session, built, derived.infrastructure) : undefined;
  const message = toEncodeObject(MsgSubmitDeployment, {
    owner: wanted.owner,
    dseq,
    name: file.stack.name,
    infrastructure: derived.infrastructure,
    version: built.version,
    waitBlocks: 0n,
    ...(sealedManifest === undefined ? {} : { sealedManifest }),
    deposit: { denom: session.config.denom, amount: derived.deposit.toString() },
  });
  const keep = () => manifestFolder(session).save({ chainId: client.chainId, owner: wanted.owner, dseq }, built);
  return { dseq, derived, built, message, keep };
}

/**
 * @param find the deployment that the stack's name means
 * @throws CliError as above, or for a deployment that cannot be updated
 */
export async function prepareUpdate(
  session: Session,
  wanted: Wanted & { readonly seals: boolean },
  find: (name: string) => Promise<Deployment>,
): Promise<PreparedUpdate> {
  const { chainId } = await session.client();
  const read = await readAll(session, wanted);
  const deployment = await find(read.file.stack.name);
  const key = { chainId, owner: wanted.owner, dseq: deployment.id?.dseq ?? 0n };
  const next = build(chainId, wanted.owner, read, { dseq: key.dseq, revision: deployment.revision + 1n });
  const kept = manifestFolder(session).latest(key, deployment.revision);
  // Only the manifest that the chain knows may stand for it.
  const same = kept !== undefined && equalBytes(kept.version, deployment.version) && saysTheSame(kept, next);
  const { infrastructure } = read.derived;
  const sealedManifest = wanted.seals && !same ? await sealFor(session, next, infrastructure) : undefined;
  const message = toEncodeObject(MsgUpdateDeployment, {
    owner: wanted.owner,
    dseq: key.dseq,
    infrastructure,
    ...(sealedManifest === undefined ? {} : { sealedManifest }),
    version: same ? new Uint8Array() : next.version,
    accessKeys: deployment.accessKeys,
  });
  const keep = async () => (same ? kept : manifestFolder(session).save(key, next));
  return { deployment, derived: read.derived, built: same ? kept : next, manifestChanges: !same, message, keep };
}

interface Read {
  readonly file: Awaited<ReturnType<typeof readStackFile>>;
  readonly binaries: Awaited<ReturnType<typeof loadBinaries>>;
  readonly images: Awaited<ReturnType<typeof loadImages>>;
  readonly mounted: Awaited<ReturnType<typeof loadMountedFiles>>;
  readonly derived: DerivedDeployment;
}

async function readAll(session: Session, { stackFile, choices }: Wanted): Promise<Read> {
  try {
    const facts = await marketFacts(await session.client());
    const file = await readStackFile(stackFile, { regions: facts.regions });
    const derived = deriveDeployment(file.stack, choices, facts);
    const binaries = await loadBinaries(file);
    const registries = { allowPrivate: session.config.allow_private_peers === 'true' };
    const images = await loadImages(file, {
      resolve: async (name, credentials) => {
        const pinned = await pinImage(name, credentials, registries);
        session.output.step(`  ${name} is ${pinned}`);
        return pinned;
      },
    });
    const mounted = await loadMountedFiles(file);
    // Several services may name the same one: it is carried once.
    const once = new Map([...mounted.values()].flat().map(({ hash }) => [hash.merkle_root, hash.size]));
    const loaded = [...binaries.values()].map(({ bytes }) => bytes.length);
    const archives = [...images.values()].flatMap((image) => (typeof image === 'string' ? [] : [image.hash.size]));
    const bytes = [...loaded, ...archives, ...once.values()].reduce((sum, size) => sum + size, 0);
    return { file, binaries, images, mounted, derived: withRoomForFiles(derived, bytes) };
  } catch (error) {
    if (error instanceof StackError || error instanceof DeriveError) throw usageError(error.message);
    throw error;
  }
}

function build(
  chainId: string,
  owner: string,
  { file, binaries, images, mounted, derived }: Read,
  of: { readonly dseq: bigint; readonly revision: bigint },
): BuiltManifest {
  return buildManifest({
    chainId,
    owner,
    ...of,
    stack: file.stack,
    placements: derived.placements,
    binaries: new Map([...binaries].map(([name, binary]) => [name, binary.bytes])),
    images,
    mounted,
    random: (length) => new Uint8Array(randomBytes(length)),
  });
}

/** One above the owner's last one, so that it is known before signing. */
async function nextDseq(session: Session, owner: string): Promise<bigint> {
  const { dseq } = await (await session.client()).deployment.lastDseq({ owner });
  return dseq + 1n;
}
