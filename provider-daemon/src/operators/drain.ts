/** The file that says that a provider wants no new leases (drainFile): it survives a restart. */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { drainFile } from '../bidding/offer.ts';

export function isDraining(dataFolder: string): boolean {
  return existsSync(drainFile(dataFolder));
}

/** May be called again. @throws Error of the file system */
export function setDraining(dataFolder: string, draining: boolean): void {
  const file = drainFile(dataFolder);
  if (!draining) {
    rmSync(file, { force: true });
    return;
  }
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const descriptor = openSync(file, 'a', 0o600);
  fsyncSync(descriptor);
  closeSync(descriptor);
}
