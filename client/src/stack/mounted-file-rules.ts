/** Where files of a Workload may stand, beside its other files and its volumes; with the other rules of several fields (rules.ts). */
import { isNested, isSystemFile, isSystemPath, mountPathsAllowed } from './mount-paths.ts';
import { type Breach, shown } from './problems.ts';
import type { YamlValue } from './yaml-tree.ts';

type Fields = { readonly [key: string]: YamlValue };

/**
 * @param files of one Workload, as the file has them, unchecked
 * @param at where they stand in the stack file
 */
export function mountedFileBreaches(
  files: readonly Fields[],
  volumes: readonly Fields[],
  at: readonly (string | number)[],
): Breach[] {
  const taken = volumes.map(({ path }) => path).filter((path) => typeof path === 'string');
  return files.flatMap(({ path }, i): Breach[] => {
    if (typeof path !== 'string') return [];
    const other = taken.find((one) => isNested(path, one));
    taken.push(path);
    const place = [...at, i, 'path'];
    if (isSystemPath(path) || isSystemFile(path))
      return [{ path: place, message: `${shown(path)} belongs to the system`, allowed: mountPathsAllowed }];
    if (other === undefined) return [];
    const message =
      other === path ? `${shown(path)} is taken already` : `${shown(path)} and ${shown(other)} are nested`;
    return [
      { path: place, message, allowed: 'a path that is not that of another file or volume, nor below or above it' },
    ];
  });
}
