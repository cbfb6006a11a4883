/** A copy of the sources that may be broken: the tree as it is, with the packages of others linked. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** What the simulation and the unit tests of x/ need. */
const wanted = [
  'proto',
  'lib',
  'chain',
  'x',
  'scripts',
  'client',
  'e2e',
  'jest.config.ts',
  'package.json',
  'tsconfig.json',
];

/** Our own packages are links to folders of the tree: in the copy they must lead into the copy. */
const own = '@mu';

/** Copies the tracked and the new files of a tree. @param to an empty folder */
export function copyTree(from: string, to: string): void {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard', ...wanted], {
    cwd: from,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  for (const file of listed.split('\0').filter((name) => name !== '' && existsSync(join(from, name)))) {
    mkdirSync(dirname(join(to, file)), { recursive: true });
    cpSync(join(from, file), join(to, file));
  }
  linkPackages(join(from, 'node_modules'), join(to, 'node_modules'));
  const nested = join('chain', 'app', 'node_modules');
  if (existsSync(join(from, nested))) symlinkSync(join(from, nested), join(to, nested));
}

function linkPackages(from: string, to: string): void {
  mkdirSync(join(to, own), { recursive: true });
  for (const name of readdirSync(from).filter((one) => one !== own)) symlinkSync(join(from, name), join(to, name));
  for (const name of readdirSync(join(from, own))) {
    const target = join(from, own, readlinkSync(join(from, own, name)));
    symlinkSync(relative(join(from, own), target), join(to, own, name));
  }
}
