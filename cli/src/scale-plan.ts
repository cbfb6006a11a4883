/** Other numbers of instances for what runs: pure, from the manifest that was kept and what the chain has. */

import type { BuiltManifest } from '@mu/client/manifest/build';
import type { ManifestHead, ManifestWorkload } from '@mu/client/manifest/head';
import { parseManifest } from '@mu/client/manifest/parse';
import { openSection, sealSection } from '@mu/client/manifest/sections';
import { toHex, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import { usageError } from './errors.ts';

/** `web=3 worker=0`: numbers by the names of Workloads. @throws CliError */
export function readCounts(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words) {
    const [, name = '', text = ''] = /^([^=]+)=(\d{1,4})$/.exec(word) ?? [];
    const count = Number(text);
    if (name === '' || count < 1 || count > 1000)
      throw usageError(`"${word}" is no SERVICE=NUMBER; a number is from 1 to 1000, like web=3`);
    counts.set(name, count);
  }
  if (counts.size === 0) throw usageError('which service, and how many? Write it like web=3');
  return counts;
}

/**
 * The next revision of a manifest, with other counts; salt and keys are fresh.
 * @throws CliError for a service that is no Workload of it
 */
export function scaledManifest(
  kept: BuiltManifest,
  counts: ReadonlyMap<string, number>,
  next: { readonly revision: bigint; readonly random: (length: number) => Uint8Array },
): BuiltManifest {
  const { head } = kept;
  const known = workloadsOf(head).map(({ name }) => name);
  const unknown = [...counts.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const there = known.length === 0 ? 'the deployment has no Workload' : `there are: ${known.join(', ')}`;
    throw usageError(`"${unknown}" cannot be scaled, only Workloads can; ${there}`);
  }
  const identity = { chain_id: head.chain_id, owner: head.owner, dseq: head.dseq, revision: next.revision.toString() };
  const sectionKeys = new Map<string, Uint8Array>();
  const sections = head.sections.map(({ infrastructure, share }) => {
    const content = openSection(head, infrastructure, kept.sectionKeys.get(infrastructure) ?? new Uint8Array());
    const { section, key } = sealSection({ ...identity, infrastructure, share }, content, next.random);
    sectionKeys.set(infrastructure, key);
    return section;
  });
  const workloads = head.workloads.map(({ infrastructure, services }) => ({
    infrastructure,
    services: services.map((service) =>
      service.type === 'Workload' ? { ...service, count: counts.get(service.name) ?? service.count } : service,
    ),
  }));
  const changed: ManifestHead = { ...head, ...identity, salt: toHex(next.random(32)), workloads, sections };
  return { ...parseManifest(utf8(canonicalJson(changed))), files: kept.files, sectionKeys };
}

/**
 * What is to be bought for a manifest: as it stands where there is room, else more of each infrastructure's first resource
 * group, at the price of each that the user agreed to.
 */
export function scaledInfrastructure(
  standing: readonly DeploymentInfrastructure[],
  head: ManifestHead,
): DeploymentInfrastructure[] {
  return standing.map((one) => {
    const workloads = workloadsOf(head, one.name);
    const [first, ...rest] = one.resources;
    if (first === undefined) return one;
    let more = 0;
    for (const kind of ['cpu', 'memory', 'disk'] as const) {
      const wants = workloads.reduce((sum, { compute, count }) => sum + BigInt(compute[kind]) * BigInt(count), 0n);
      const has = one.resources.reduce((sum, { compute, count }) => sum + sizeOf(compute, kind) * BigInt(count), 0n);
      if (wants <= has) continue;
      const each = sizeOf(first.compute, kind);
      if (each === 0n)
        throw usageError(`${one.name} has not enough ${kind}: raise its resources in the stack file and update`);
      more = Math.max(more, Number((wants - has + each - 1n) / each));
    }
    return more === 0 ? one : { ...one, resources: [{ ...first, count: first.count + more }, ...rest] };
  });
}

type Compute = DeploymentInfrastructure['resources'][number]['compute'];

const sizeOf = (compute: Compute, kind: 'cpu' | 'memory' | 'disk'): bigint => BigInt(compute?.[kind] ?? 0);

function workloadsOf(head: ManifestHead, infrastructure?: string): ManifestWorkload[] {
  const chosen = head.workloads.filter((one) => infrastructure === undefined || one.infrastructure === infrastructure);
  return chosen.flatMap(({ services }) => services.filter((one): one is ManifestWorkload => one.type === 'Workload'));
}
