/** A program of Debian's packages with all that it is linked to, for an image: nothing is installed on this machine. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { ImageFile } from '../../lib/docker-archive.ts';

/**
 * @param name of the package, and of its program in /usr/bin
 * @returns the program at /bin and its libraries where its loader looks for them
 * @throws Error where the package cannot be had, with what apt-get says
 */
export function debianProgram(name: string): ImageFile[] {
  const folder = mkdtempSync(join(tmpdir(), 'mu-debian-'));
  try {
    return filesOf(join(unpacked(name, folder), 'usr', 'bin', name), name, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The package and those of its dependencies that this machine does not have, in one tree. */
function unpacked(name: string, folder: string): string {
  const archives = join(folder, 'archives');
  mkdirSync(join(archives, 'partial'), { recursive: true });
  const options = ['-y', '--no-install-recommends', '--download-only', '-o', `Dir::Cache::archives=${archives}`];
  // What is installed already would not be downloaded: it is found where it is.
  const fetch = (): unknown => run('apt-get', ['install', ...options, '--reinstall', name]);
  try {
    fetch();
  } catch {
    // Whoever asks for this may have an old list of packages, or none.
    run('apt-get', ['update']);
    fetch();
  }
  const root = join(folder, 'root');
  for (const file of readdirSync(archives).filter((one) => one.endsWith('.deb'))) {
    run('dpkg-deb', ['--extract', join(archives, file), root]);
  }
  return root;
}

function filesOf(program: string, name: string, folder: string): ImageFile[] {
  const libraries = ['usr/lib', 'lib'].flatMap((base) => subfolders(join(folder, 'root', base)));
  return linkedProgram(existsSync(program) ? program : join('/usr/bin', name), libraries);
}

/**
 * A program that this machine has, as `debianProgram` gives one.
 * @param libraries folders that are looked into before those of the machine
 * @throws Error where there is no such program
 */
export function linkedProgram(program: string, libraries: readonly string[] = []): ImageFile[] {
  const file = realpathSync(program);
  const linked = run('ldd', [file], { LD_LIBRARY_PATH: libraries.join(':') });
  return [
    { name: `bin/${basename(program)}`, content: readFileSync(file), mode: 0o755 },
    ...linked.split('\n').flatMap((line) => libraryOf(line)),
  ];
}

/** `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, and the loader: `/lib64/ld-linux-x86-64.so.2 (0x…)`. */
function libraryOf(line: string): ImageFile[] {
  const [, linked] = /=> (\/\S+) \(0x/.exec(line) ?? [];
  if (linked !== undefined) {
    const file = linked.split('/').at(-1) as string;
    return [{ name: `lib/${file}`, content: readFileSync(linked), mode: 0o755 }];
  }
  const [, loader] = /^\s*(\/\S+) \(0x/.exec(line) ?? [];
  return loader === undefined ? [] : [{ name: loader.slice(1), content: readFileSync(loader), mode: 0o755 }];
}

/** A folder and those in it, since libraries stand by architecture. */
function subfolders(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const inside = readdirSync(folder, { withFileTypes: true }).filter((one) => one.isDirectory());
  return [folder, ...inside.map((one) => join(folder, one.name))];
}

function run(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  return execFileSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
