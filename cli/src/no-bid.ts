/** What to say when nobody has bid in time: who could not, and how to get the money back. Pure. */
import type { DerivedDeployment } from '@mu/client/stack/derive-types';
import type { Provider } from '@mu/proto/provider';

export interface NoBid {
  readonly dseq: bigint;
  readonly timeoutBlocks: bigint;
  /** Names of infrastructures without a lease, where others have one. */
  readonly missing?: readonly string[] | undefined;
}

/** @param providers that are active, wherever they serve */
export function noBidText(
  { infrastructure }: Pick<DerivedDeployment, 'infrastructure'>,
  providers: readonly Pick<Provider, 'regions' | 'services'>[],
  at: NoBid,
): string {
  const wanted = infrastructure.filter(({ name }) => at.missing?.includes(name) ?? true);
  const missing = wanted.flatMap(({ name, region, services }) => {
    const there = providers.filter(({ regions }) => regions.includes(region));
    const nobody = services.filter((service) => !there.some((provider) => provider.services.includes(service)));
    if (there.length === 0) return [`${name}: no provider serves region ${region}`];
    if (nobody.length > 0) return [`${name}: nobody in ${region} offers ${nobody.join(', ')}`];
    return [
      `${name}: ${there.length} providers of ${region} offer the services, none at this price or with this much room`,
    ];
  });
  const others =
    at.missing === undefined
      ? []
      : [
          `the others have leases and go on: \`mucli deployment status ${at.dseq}\` shows them, \`update\` changes them`,
        ];
  const cancel = `cancel it and get the deposit back with: mucli tx deployment cancel ${at.dseq}`;
  return [`no bid in ${at.timeoutBlocks} blocks`, ...missing, ...others, cancel].join('\n');
}
