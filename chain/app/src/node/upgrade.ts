/**
 * Upgrades as cosmovisor knows them: a node that cannot carry out a due upgrade writes `data/upgrade-info.json` and stops;
 * the next program reads there which stores to change before it opens the state.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { noStoreUpgrades, type StoreUpgrades } from '@mu/framework/store/store-upgrades';
import type { Plan } from '@mu/x-upgrade/plan';
import type { Upgrade } from '../upgrades.ts';
import type { Home } from './home.ts';

/** Where cosmovisor looks. */
export function upgradeInfoFile({ root }: Pick<Home, 'root'>): string {
  return join(root, 'data', 'upgrade-info.json');
}

/** Writes the file whole or not at all, in the form of Go's encoding/json of a Plan. */
export function writeUpgradeInfo(home: Pick<Home, 'root'>, { name, height, info }: Plan): void {
  const file = upgradeInfoFile(home);
  mkdirSync(dirname(file), { recursive: true });
  const time = '0001-01-01T00:00:00Z';
  // Empty fields are left out, as Go's omitempty does.
  const json = JSON.stringify({ name, time, height: Number(height), ...(info === '' ? {} : { info }) });
  writeFileSync(`${file}.new`, json, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** The plan at which this node stopped last; undefined where it never did. @throws Error for a file that is damaged */
export function readUpgradeInfo(home: Pick<Home, 'root'>): Plan | undefined {
  const file = upgradeInfoFile(home);
  if (!existsSync(file)) return undefined;
  let json: { readonly [key: string]: unknown };
  try {
    json = JSON.parse(readFileSync(file, 'utf8')) as { [key: string]: unknown };
  } catch {
    throw new Error(`${file} is not JSON: it is written where a node stops for an upgrade; delete it if none is due`);
  }
  const { name, height, info = '' } = json;
  if (typeof name !== 'string' || name === '' || !Number.isSafeInteger(height) || typeof info !== 'string') {
    throw new Error(`${file} names no upgrade: it needs "name" and "height"; delete it if none is due`);
  }
  return { name, height: BigInt(height as number), info };
}

/**
 * How the stores change before the next block (x/upgrade/types UpgradeStoreLoader): only where this node stopped for an
 * upgrade at just that height, and this program knows it.
 * @param lastHeight of the committed state
 */
export function storeUpgradesAt(
  home: Pick<Home, 'root'>,
  upgrades: readonly Upgrade[],
  lastHeight: bigint,
): StoreUpgrades {
  const plan = readUpgradeInfo(home);
  if (plan === undefined || plan.height !== lastHeight + 1n) return noStoreUpgrades;
  return upgrades.find(({ name }) => name === plan.name)?.stores ?? noStoreUpgrades;
}
