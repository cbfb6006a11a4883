/**
 * Where Pebble is on this machine, Let's Encrypt's small ACME server for tests: MU_PEBBLE, else `.cache/go` of this
 * repository; where it is not there and Go is, it is built there once. Run as a program it prints the path, or says what to
 * do and ends with code 1.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

/** What the gateway's certificates are tested against. */
export const pebbleVersion = '2.10.1';
const module = `github.com/letsencrypt/pebble/v2/cmd/pebble@v${pebbleVersion}`;
/** What a person does where neither was found, in one line. */
export const pebbleHint = `install Go 1.22 or newer (https://go.dev/dl), or set MU_PEBBLE to pebble ${pebbleVersion}`;

const run = promisify(execFile);
/** One folder for each version: an older build is never taken for this one. */
const folder = join(import.meta.dirname, '..', '..', '.cache', 'go', `pebble-${pebbleVersion}`);

let found: Promise<string | undefined> | undefined;

/**
 * The program's path; undefined where it is absent and there is no Go to build it with.
 * @throws Error when MU_PEBBLE names no program, or Go is there and cannot build it
 */
export function findPebble(): Promise<string | undefined> {
  found ??= look();
  return found;
}

async function look(): Promise<string | undefined> {
  const named = process.env['MU_PEBBLE'] ?? '';
  if (named !== '') {
    if (existsSync(named)) return named;
    throw new Error(`MU_PEBBLE=${named} is not there`);
  }
  const file = join(folder, 'pebble');
  if (existsSync(file)) return file;
  const go = findGo();
  if (go === undefined) return undefined;
  mkdirSync(folder, { recursive: true });
  try {
    await run(go, ['install', module], { env: { ...process.env, GOBIN: folder }, maxBuffer: 16 * 1024 * 1024 });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr?.trim() ?? '';
    throw new Error(`go could not build pebble ${pebbleVersion}: ${said === '' ? String(error) : said}`);
  }
  return file;
}

function findGo(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((one) => one !== '');
  // The last is where Go's own installer puts it, also when no profile has it in the PATH.
  return [...folders, '/usr/local/go/bin'].map((one) => join(one, 'go')).find((file) => existsSync(file));
}

if (import.meta.main) {
  const path = await findPebble();
  if (path === undefined) {
    console.error(`pebble ${pebbleVersion} was not found and neither was Go: ${pebbleHint}`);
    process.exitCode = 1;
  } else console.log(path);
}
