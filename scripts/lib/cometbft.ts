/**
 * Where CometBFT's program is on this machine: MU_COMETBFT, PATH, the folders of Go; where none has it and Go is there,
 * it is installed once. Run as a program it prints the path, or says what to do and ends with code 1.
 */

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf } from '@mu/lib/error-message';

/** What this repository is built and tested against. */
export const cometbftVersion = '0.38.26';
const module = 'github.com/cometbft/cometbft/cmd/cometbft';
/** What a person types where neither CometBFT nor Go was found, in one line. */
export const cometbftHint = `install Go 1.22 or newer (https://go.dev/dl), then: go install ${module}@v${cometbftVersion}; or set MU_COMETBFT to the program`;

const run = promisify(execFile);
/** Older ones have known holes (CSA-2026-001); other lines speak another ABCI. */
const oldestPatch = 21;

export interface FindOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** false: only look, never install */
  readonly install?: boolean;
  /** told before the installation, which takes a minute */
  readonly say?: (text: string) => void;
}

let found: Promise<string | undefined> | undefined;

/**
 * The program's path, looked for once per process; undefined where it is absent and there is no Go to install it with.
 * @throws Error when MU_COMETBFT names something else, or Go is there and cannot install it
 */
export function findCometbft(options: FindOptions = {}): Promise<string | undefined> {
  if (options.env !== undefined || options.install === false) return look(options);
  found ??= look(options);
  return found;
}

/** @throws Error that says how to install it */
export async function requireCometbft(options: FindOptions = {}): Promise<string> {
  const path = await findCometbft(options);
  if (path === undefined)
    throw new Error(`cometbft ${cometbftVersion} was not found and neither was Go: ${cometbftHint}`);
  return path;
}

async function look({
  env = process.env,
  install = true,
  say = () => undefined,
}: FindOptions): Promise<string | undefined> {
  const named = env['MU_COMETBFT'];
  if (named !== undefined && named !== '') {
    const version = await versionOf(named);
    if (isUsable(version)) return named;
    throw new Error(
      `MU_COMETBFT=${named} is ${version ?? 'no program that runs'}: it must be CometBFT 0.38.${oldestPatch} or a later 0.38`,
    );
  }
  const go = await findGo(env);
  const folders = [...pathFolders(env), ...(await goFolders(env, go))];
  for (const folder of folders) {
    const file = join(folder, 'cometbft');
    if (existsSync(file) && isUsable(await versionOf(file))) return file;
  }
  if (go === undefined || !install) return undefined;
  say(`installing cometbft ${cometbftVersion} (go install, about a minute) …`);
  return installWith(go, env);
}

const pathFolders = (env: Readonly<Record<string, string | undefined>>): string[] =>
  (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');

async function findGo(env: Readonly<Record<string, string | undefined>>): Promise<string | undefined> {
  // The second is where Go's own installer puts it, also when no profile has it in the PATH.
  return [...pathFolders(env), '/usr/local/go/bin']
    .map((folder) => join(folder, 'go'))
    .find((file) => existsSync(file));
}

/** Where `go install` puts programs, the first one where it does so now. */
async function goFolders(env: Readonly<Record<string, string | undefined>>, go: string | undefined): Promise<string[]> {
  const byDefault = join(env['HOME'] ?? homedir(), 'go');
  let [bin, path] = [env['GOBIN'] ?? '', env['GOPATH'] ?? byDefault];
  if (go !== undefined) {
    const { stdout } = await run(go, ['env', 'GOBIN', 'GOPATH'], { env: { ...env } });
    [bin = '', path = byDefault] = stdout.split('\n');
  }
  const folders = path.split(delimiter).map((folder) => join(folder, 'bin'));
  return bin === '' ? folders : [bin, ...folders];
}

async function installWith(go: string, env: Readonly<Record<string, string | undefined>>): Promise<string> {
  try {
    await run(go, ['install', `${module}@v${cometbftVersion}`], { env: { ...env }, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? '';
    throw new Error(`go could not install cometbft ${cometbftVersion}: ${said === '' ? String(error) : said}`);
  }
  const [folder = ''] = await goFolders(env, go);
  const file = join(folder, 'cometbft');
  if (!isUsable(await versionOf(file))) throw new Error(`go installed cometbft, but ${file} does not run`);
  return file;
}

async function versionOf(file: string): Promise<string | undefined> {
  try {
    return (await run(file, ['version'], { timeout: 10_000 })).stdout.trim();
  } catch {
    return undefined;
  }
}

function isUsable(version: string | undefined): boolean {
  const match = /^v?0\.38\.(\d+)/.exec(version ?? '');
  return match !== null && Number(match[1]) >= oldestPatch;
}

if (import.meta.main) {
  try {
    console.log(await requireCometbft({ say: (text) => console.error(text) }));
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  }
}
