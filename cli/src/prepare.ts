/** Everything that happens before a deployment is signed: what is wrong is found here, and nothing has been sent. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { EncodeObject } from '@cosmjs/proto-signing';
import { toEncodeObject } from '@mu/client/chain/registry';
import { ManifestFolder } from '@mu/client/deployment/manifest-folder';
import { marketFacts } from '@mu/client/deployment/market-facts';
import { type BuiltManifest, buildManifest } from '@mu/client/manifest/build';
import { loadBinaries } from '@mu/client/stack/binaries';
import { deriveDeployment } from '@mu/client/stack/derive';
import { type Choices, type DerivedDeployment, DeriveError } from '@mu/client/stack/derive-types';
import { readStackFile } from '@mu/client/stack/parse';
import { StackError } from '@mu/client/stack/problems';
import { MsgSubmitDeployment } from '@mu/proto/deployment';
import { usageError } from './errors.ts';
import type { Session } from './session.ts';

export interface Prepared {
  readonly dseq: bigint;
  readonly derived: DerivedDeployment;
  readonly built: BuiltManifest;
  readonly message: EncodeObject;
  /** Keeps the manifest with its keys in the user's folder. */
  keep(): void;
}

export function manifestFolder(session: Session): ManifestFolder {
  return new ManifestFolder(join(session.config.home, 'manifests'));
}

/** @throws CliError with every mistake of the stack file, its place and what is allowed */
export async function prepareDeployment(
  session: Session,
  wanted: { stackFile: string; owner: string; dseq: bigint | undefined; choices: { flags: Choices; config: Choices } },
): Promise<Prepared> {
  try {
    return await prepare(session, wanted);
  } catch (error) {
    if (error instanceof StackError || error instanceof DeriveError) throw usageError(error.message);
    throw error;
  }
}

async function prepare(
  session: Session,
  wanted: { stackFile: string; owner: string; dseq: bigint | undefined; choices: { flags: Choices; config: Choices } },
): Promise<Prepared> {
  const client = await session.client();
  const facts = await marketFacts(client);
  const file = await readStackFile(wanted.stackFile, { regions: facts.regions });
  const binaries = await loadBinaries(file);
  const derived = deriveDeployment(file.stack, wanted.choices, facts);
  const dseq = wanted.dseq ?? (await nextDseq(session, wanted.owner));
  const built = buildManifest({
    chainId: client.chainId,
    owner: wanted.owner,
    dseq,
    revision: 1n,
    stack: file.stack,
    placements: derived.placements,
    binaries: new Map([...binaries].map(([name, binary]) => [name, binary.bytes])),
    random: (length) => new Uint8Array(randomBytes(length)),
  });
  const message = toEncodeObject(MsgSubmitDeployment, {
    owner: wanted.owner,
    dseq,
    name: file.stack.name,
    infrastructure: derived.infrastructure,
    version: built.version,
    waitBlocks: 0n,
    deposit: { denom: session.config.denom, amount: derived.deposit.toString() },
  });
  const keep = (): void => manifestFolder(session).save({ chainId: client.chainId, owner: wanted.owner, dseq }, built);
  return { dseq, derived, built, message, keep };
}

/** One above the owner's last one, so that it is known before signing. */
async function nextDseq(session: Session, owner: string): Promise<bigint> {
  const { dseq } = await (await session.client()).deployment.lastDseq({ owner });
  return dseq + 1n;
}
