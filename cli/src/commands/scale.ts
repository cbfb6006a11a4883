/** mucli deployment scale: other numbers of instances, from the manifest that was kept when it was created or updated. */
import { randomBytes } from 'node:crypto';
import { toEncodeObject } from '@mu/client/chain/registry';
import { standingOf } from '@mu/client/deployment/changes';
import { marketFacts } from '@mu/client/deployment/market-facts';
import { reserveOf } from '@mu/client/stack/derive';
import { equalBytes } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import { DeploymentState, MsgUpdateDeployment } from '@mu/proto/deployment';
import { wholeNumber } from '../arguments.ts';
import { CliError } from '../errors.ts';
import { manifestFolder, type PreparedUpdate } from '../prepare.ts';
import { readCounts, scaledInfrastructure, scaledManifest } from '../scale-plan.ts';
import type { Session } from '../session.ts';
import { applyUpdate, type UpdateFlags } from './update.ts';

export async function scaleDeployment(
  session: Session,
  [dseqText = '', ...words]: readonly string[],
  flags: UpdateFlags,
): Promise<void> {
  const dseq = wholeNumber(dseqText, 'DSEQ');
  const prepared = await prepareScale(session, dseq, readCounts(words));
  session.output.step('The stack file is not changed: the next update from it sets the numbers that it says.');
  await applyUpdate(session, prepared, flags);
}

/** @throws CliError where the manifest is not kept here, or is not the one that runs */
async function prepareScale(
  session: Session,
  dseq: bigint,
  counts: ReadonlyMap<string, number>,
): Promise<PreparedUpdate> {
  const client = await session.client();
  const owner = await session.address();
  const { deployment } = await client.deployment.deployment({ owner, dseq });
  if (deployment?.state !== DeploymentState.DEPLOYMENT_STATE_ACTIVE)
    throw new CliError(`deployment ${dseq} is not active: create one with \`mucli tx deployment create\``);
  const key = { chainId: client.chainId, owner, dseq };
  const kept = manifestFolder(session).latest(key, deployment.revision);
  if (kept === undefined || !equalBytes(kept.version, deployment.version)) {
    throw new CliError(
      `the manifest of deployment ${dseq} is not kept in ${session.config.home}: change \`count\` in its stack file and run \`mucli tx deployment update STACK --dseq ${dseq}\``,
    );
  }
  const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
  const next = scaledManifest(kept, counts, { revision: deployment.revision + 1n, random });
  const isSame = JSON.stringify(next.head.workloads) === JSON.stringify(kept.head.workloads);
  const facts = await marketFacts(client);
  const infrastructure = isSame ? standingOf(deployment) : scaledInfrastructure(standingOf(deployment), next.head);
  const pricePerBlock = infrastructure
    .flatMap(({ resources }) => resources)
    .reduce((sum, { price, count }) => sum.add(Dec.fromAtomics(price).mulInt(BigInt(count))), Dec.fromInt(0n));
  return {
    deployment,
    derived: {
      infrastructure,
      placements: next.head.sections.map(({ infrastructure: name, share }) => ({
        infrastructure: name,
        share,
        services: [],
      })),
      pricePerBlock,
      reserve: reserveOf(infrastructure, facts),
      deposit: 0n,
      choices: [...counts].map(([what, value]) => ({ what, value: String(value), from: 'the command line' })),
    },
    built: isSame ? kept : next,
    manifestChanges: !isSame,
    message: toEncodeObject(MsgUpdateDeployment, {
      owner,
      dseq,
      infrastructure,
      version: isSame ? new Uint8Array() : next.version,
      accessKeys: deployment.accessKeys,
    }),
    keep: async () => (isSame ? kept : manifestFolder(session).save(key, next)),
  };
}
