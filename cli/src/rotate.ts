/** Which secrets of a deployment are to be changed, as the chain and the kept manifests say. */
import type { DeploymentView } from '@mu/client/deployment/follow';
import { type RotateMark, rotateMarks } from '@mu/client/deployment/rotate';
import type { BuiltManifest } from '@mu/client/manifest/build';
import { ManifestError } from '@mu/client/manifest/errors';
import { openSection } from '@mu/client/manifest/sections';
import type { Deployment } from '@mu/proto/deployment';
import { infrastructureOf } from './delivery-plan.ts';
import type { Session } from './session.ts';

/** The marks of a deployment; see `rotateMarks`. */
export async function marksOf(
  session: Session,
  { id, revision }: Pick<Deployment, 'id' | 'revision'>,
  view: DeploymentView,
): Promise<RotateMark[]> {
  const { manifestFolder } = await import('./prepare.ts');
  const { chainId } = await session.client();
  const folder = manifestFolder(session);
  const key = { chainId, owner: id?.owner ?? '', dseq: id?.dseq ?? 0n };
  return rotateMarks({
    leases: view.leases,
    nameOf: (lease) => infrastructureOf(view, lease),
    revision,
    manifestOf: (one) => readable(() => folder.of(key, one)),
    revisionAt: (height) => folder.revisionAt(key, height),
  });
}

/** A copy that was damaged tells as little as none. Whoever is to deliver it is told what is wrong. */
function readable(read: () => BuiltManifest | undefined): BuiltManifest | undefined {
  try {
    const built = read();
    for (const [infrastructure, key] of built?.sectionKeys ?? []) openSection(built!.head, infrastructure, key);
    return built;
  } catch (error) {
    if (error instanceof ManifestError) return undefined;
    throw error;
  }
}

/** What to do about each, a sentence each. */
export function rotateText(marks: readonly RotateMark[]): string[] {
  return marks.map(
    ({ infrastructure, provider, height }) =>
      `secrets of ${infrastructure} were held by ${provider}, whose lease broke at block ${height}: change them (mucli tx deployment update)`,
  );
}
