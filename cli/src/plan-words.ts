/** What to know of an order before it is signed: what happens to it when a provider goes. Pure. */
import type { ManifestHead } from '@mu/client/manifest/head';
import type { DerivedDeployment } from '@mu/client/stack/derive-types';
import { isStandby } from '@mu/client/stack/standby';

/**
 * Who could bring a replacement of each provider what it needs, and what the other way would cost. Nothing is said of what
 * goes on without the user.
 */
export function replacementWords(
  { infrastructure, placements }: Pick<DerivedDeployment, 'infrastructure' | 'placements'>,
  head: Pick<ManifestHead, 'workloads'>,
): string[] {
  const own = infrastructure.filter(({ name }) => !isStandby(name));
  const volumes = own
    .filter(({ name, persist }) => persist && hasVolumes(head, name))
    .map(({ name }) => volumeWords(name));
  if (infrastructure.length === 1) {
    return [
      'a replacement of the provider needs you (mucli must run, or `create --watch`), a second region, or `standby: 1`',
      ...volumes,
    ];
  }
  const secret = own.filter(({ name, persist }) => persist && shareOf(placements, name) === 'lease');
  return [...secret.flatMap(({ name }) => secretWords(name)), ...volumes];
}

function secretWords(name: string): string[] {
  return [
    `${name}: a replacement of its provider finds the manifest at the others, but needs you for its secrets (mucli must run, or \`create --watch\`)`,
    `  \`share: lease\`, as it is: only who holds a lease of ${name} can read its secrets; a replacement waits until you bring their key`,
    '  `share: all` instead: a replacement starts without you; every participant could read the secrets',
  ];
}

const volumeWords = (name: string): string =>
  `${name}: a volume stays with its provider; a replacement begins with an empty one, replication is the application’s`;

function shareOf(placements: DerivedDeployment['placements'], name: string): 'lease' | 'all' | undefined {
  return placements.find(({ infrastructure }) => infrastructure === name)?.share;
}

function hasVolumes({ workloads }: Pick<ManifestHead, 'workloads'>, name: string): boolean {
  return workloads.some(
    ({ infrastructure, services }) =>
      infrastructure === name && services.some((one) => one.type === 'Workload' && one.volumes.length > 0),
  );
}
