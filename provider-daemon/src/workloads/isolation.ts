/** What the system lets a sandbox process be cut off from, found out once. */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, chmod, cp, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** "nobody": owns nothing on any system. */
const nobodyUid = 65_534;
const run = promisify(execFile);

export interface Isolation {
  /** Put before the command: program and arguments; empty where nothing can be had. */
  readonly prefix: readonly string[];
  /** The user that the process becomes; undefined: it stays who the daemon is. */
  readonly uid: number | undefined;
  readonly networkNamespace: boolean;
  /** For the log, in words. */
  readonly description: string;
}

/** Tries the strongest form first. */
export async function detectIsolation(): Promise<Isolation> {
  const root = process.getuid?.() === 0;
  // Without root an own user namespace gives the right to an own network namespace, where the system allows it.
  const prefix = await firstThatRuns(
    root ? [['unshare', '--net', '--ipc', '--']] : [['unshare', '--user', '--net', '--ipc', '--']],
  );
  const uid = root ? nobodyUid : undefined;
  const parts = [
    'own process',
    uid === undefined ? "the daemon's user (not root, so no other)" : `user ${uid}`,
    prefix.length > 0 ? 'empty network namespace' : 'NO network namespace (unshare is missing or not allowed)',
    'empty environment',
    'file access limited to the engine',
  ];
  return { prefix, uid, networkNamespace: prefix.length > 0, description: parts.join(', ') };
}

async function firstThatRuns(candidates: readonly (readonly string[])[]): Promise<readonly string[]> {
  for (const [program, ...args] of candidates) {
    try {
      await run(program!, [...args, process.execPath, '--version'], { timeout: 10_000 });
      return [program!, ...args];
    } catch {
      // The next one, or none: what holds is said in the log.
    }
  }
  return [];
}

/** The code that sandbox processes run, in a place that the unprivileged user can read. */
export interface SandboxCode {
  /** Folder with the files of ./sandbox. */
  readonly folder: string;
  /** All that the process may read. */
  readonly readable: readonly string[];
  remove(): Promise<void>;
}

const here = dirname(fileURLToPath(import.meta.url));

/**
 * Where this installation can be read by everybody, it is used as it stands; else (a clone in /root) its few files are
 * copied to a folder that is removed with the driver.
 */
export async function sandboxCode(uid: number | undefined): Promise<SandboxCode> {
  const folder = join(here, 'sandbox');
  const sdk = dirname(dirname(fileURLToPath(import.meta.resolve('@wasmer/sdk/node'))));
  const packageFile = join(here, '..', '..', 'package.json');
  const paths = [folder, sdk, packageFile];
  if (uid === undefined || (await allReadable([...paths, join(sdk, 'dist', 'node-worker.js')]))) {
    return { folder, readable: paths, remove: async () => {} };
  }
  const copy = await mkdtemp(join(tmpdir(), 'mu-sandbox-'));
  await chmod(copy, 0o755);
  await cp(folder, join(copy, 'sandbox'), { recursive: true });
  await cp(sdk, join(copy, 'node_modules', '@wasmer', 'sdk'), { recursive: true });
  await writeFile(join(copy, 'package.json'), '{"type":"module"}\n');
  return {
    folder: join(copy, 'sandbox'),
    readable: [copy],
    remove: () => rm(copy, { recursive: true, force: true }),
  };
}

async function allReadable(paths: readonly string[]): Promise<boolean> {
  try {
    for (const path of paths) {
      await access(path, constants.R_OK);
      const info = await stat(path);
      if ((info.mode & 0o004) === 0) return false;
      for (let folder = dirname(path); folder !== dirname(folder); folder = dirname(folder)) {
        if (((await stat(folder)).mode & 0o001) === 0) return false;
      }
    }
    return true;
  } catch {
    return false;
  }
}
