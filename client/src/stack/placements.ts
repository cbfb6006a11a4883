/** Which services run where, and what providers call them. */

import { serviceKinds } from './common-schema.ts';
import type { Placement } from './derive-types.ts';
import type { Service, Stack } from './schema.ts';
import { standbyPlacements } from './standby.ts';

/** The services that run in an infrastructure: those that name it, and those that name none. */
export function servicesIn(stack: Stack, infrastructure: string): readonly Service[] {
  return stack.services.filter((service) => service.infrastructure?.includes(infrastructure) ?? true);
}

/** The types of services under the names that providers use, each once, sorted. */
export function kindsOf(services: readonly Service[]): string[] {
  return [...new Set(services.map(({ type }): string => serviceKinds[type]))].sort((a, b) => (a < b ? -1 : 1));
}

/** Of all infrastructures, standbys too. @param share where the stack does not say it */
export function placementsOf(stack: Stack, share: Placement['share']): Placement[] {
  const homes = stack.infrastructure?.map((one) => ({ name: one.name, share: one.share ?? share })) ?? [
    { name: 'main', share },
  ];
  const own = homes.map((home) => ({
    infrastructure: home.name,
    share: home.share,
    services: servicesIn(stack, home.name).map(({ name }) => name),
  }));
  return [...own, ...(stack.infrastructure ?? []).flatMap(standbyPlacements)];
}
