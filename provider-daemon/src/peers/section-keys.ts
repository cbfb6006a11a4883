/**
 * Keys of sections among peers (design §6): a key goes to who holds a live lease of its infrastructure, and where the stack
 * says `share: all`, to who holds a live lease of the deployment.
 */
import type { Carried } from '../manifests/carried.ts';
import type { SectionKey } from '../swarm/messages.ts';

/** Names of the infrastructures whose keys somebody may have. @param held of which it holds live leases */
export function permittedKeys({ manifest }: Pick<Carried, 'manifest'>, held: readonly string[]): readonly string[] {
  if (held.length === 0) return [];
  return manifest.head.sections
    .filter(({ infrastructure, share }) => share === 'all' || held.includes(infrastructure))
    .map(({ infrastructure }) => infrastructure);
}

/** Those that may be had here and are not. */
export function missingKeys(carried: Pick<Carried, 'manifest' | 'keys'>, held: readonly string[]): readonly string[] {
  return permittedKeys(carried, held).filter((infrastructure) => !carried.keys.has(infrastructure));
}

/** What is answered to who asks. */
export function keysFor(carried: Pick<Carried, 'manifest' | 'keys'>, held: readonly string[]): SectionKey[] {
  return permittedKeys(carried, held).flatMap((infrastructure) => {
    const key = carried.keys.get(infrastructure);
    return key === undefined ? [] : [{ infrastructure, key }];
  });
}
