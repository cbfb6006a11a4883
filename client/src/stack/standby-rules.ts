/** What a stack file may say of standbys, with the other rules of several fields (rules.ts). */
import { manifestLimits } from '../manifest/head.ts';
import { type Breach, shown } from './problems.ts';
import { isStandby, maxNameWithStandbys } from './standby.ts';
import { parseWhole } from './units.ts';
import type { YamlValue } from './yaml-tree.ts';

type Fields = { readonly [key: string]: YamlValue };

/** @param infrastructure as the file has it, unchecked */
export function standbyBreaches(infrastructure: readonly Fields[]): Breach[] {
  const counts = infrastructure.map(({ standby }) => Number(parseWhole(standby, 0n, 1_000n) ?? 0n));
  const sum = infrastructure.length + counts.reduce((all, count) => all + count, 0);
  const most = manifestLimits.infrastructures;
  const tooMany: Breach[] =
    sum > most && infrastructure.length <= most
      ? [
          {
            path: ['infrastructure'],
            message: `${sum} infrastructures, with their standbys`,
            allowed: `at most ${most} together`,
          },
        ]
      : [];
  return [...tooMany, ...infrastructure.flatMap((one, at) => breachesOf(one, counts[at] ?? 0, ['infrastructure', at]))];
}

function breachesOf(one: Fields, count: number, path: readonly (string | number)[]): Breach[] {
  const found: Breach[] = [];
  const { name } = one;
  if (typeof name === 'string' && isStandby(name)) {
    const message = `${shown(name)} is a name that standbys get`;
    found.push({ path: [...path, 'name'], message, allowed: 'a name that does not end in -standby- and a number' });
  }
  if (count === 0) {
    if (one['standby_price'] === undefined) return found;
    const message = 'there is no standby that could have a price';
    return [...found, { path: [...path, 'standby_price'], message, allowed: 'standby: 1 to 4 beside it' }];
  }
  const at = [...path, 'standby'];
  if (one['share'] !== 'all') {
    const message = 'a standby without the key of the secrets could not hand it on';
    found.push({ path: at, message, allowed: '`share: all` beside it (every participant could read the secrets)' });
  }
  if (one['provider'] !== undefined) {
    const message = 'nobody may take over from the provider that alone may serve';
    found.push({ path: at, message, allowed: 'no provider, or no standby' });
  }
  if (typeof name === 'string' && name.length > maxNameWithStandbys) {
    const message = `the names of standbys would be longer than 64 characters`;
    found.push({ path: [...path, 'name'], message, allowed: `at most ${maxNameWithStandbys} characters` });
  }
  return found;
}
