/** Where something may be mounted in a container: for stack files, heads of manifests and providers alike. */

/** Files of one Workload, at most. */
export const maxMountedFiles = 64;

/** A file beside the stack file: relative, and nowhere above its folder. */
export const sourcePattern = /^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\p{Cc}]{1,480}$/u;

/** Folders of the system, and those that the provider fills itself. */
const systemFolders = ['/proc', '/sys', '/dev', '/run', '/tmp', '/etc', '/bin', '/sbin', '/lib', '/lib64', '/usr'];
/** Those below which a program may well keep its data. */
const openFolders = ['/run', '/tmp', '/etc', '/usr'];
/** Files that every container gets from its provider or the engine. */
const systemFiles = ['/etc/hostname', '/etc/hosts', '/etc/resolv.conf'];

/** What is allowed in place of a path for which `isSystemPath` or `isSystemFile` is true, in words. */
export const mountPathsAllowed = `a path that is not one of ${systemFolders.join(' ')}, nor below one except ${openFolders.join(' ')}, nor one of ${systemFiles.join(' ')}`;

/** True for a folder of the system, and below it unless programs keep data there: nothing of a tenant is mounted there. */
export function isSystemPath(path: string): boolean {
  return systemFolders.some(
    (folder) => path === folder || (!openFolders.includes(folder) && path.startsWith(`${folder}/`)),
  );
}

/** True for a file that the provider or the engine mounts itself, and whatever would be below it. */
export function isSystemFile(path: string): boolean {
  return systemFiles.some((file) => path === file || path.startsWith(`${file}/`));
}

/** True where one path is the other, or lies below it: mounted both, one would hide or be inside of the other. */
export function isNested(a: string, b: string): boolean {
  return a === b || a.startsWith(`${b}/`) || b.startsWith(`${a}/`);
}

/** The first two paths of which one is the other or lies below it, the file's first; undefined where there are none. */
export function nestedMount(files: readonly string[], volumes: readonly string[]): [string, string] | undefined {
  for (const [at, file] of files.entries()) {
    const other = [...files.slice(0, at), ...volumes].find((path) => isNested(file, path));
    if (other !== undefined) return [file, other];
  }
  return undefined;
}
