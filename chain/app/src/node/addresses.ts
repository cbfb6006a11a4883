/** Where a running node says at which addresses it listens: with port 0 nobody else knows. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCometConfig } from './comet-config.ts';
import type { Home } from './home.ts';

export interface Addresses {
  /** with the engine solo; `http://host:port` */
  readonly rpc?: string;
  /** behind CometBFT */
  readonly abci?: string;
  /** metrics and health, where they are served */
  readonly telemetry?: string;
}

export function addressesFile(home: Home): string {
  return join(home.root, 'data', 'addresses.json');
}

export function writeAddresses(home: Home, addresses: Addresses): void {
  const file = addressesFile(home);
  writeFileSync(`${file}.new`, `${JSON.stringify({ ...addresses, pid: process.pid })}\n`);
  renameSync(`${file}.new`, file);
}

/** A node that stops listens nowhere. */
export function removeAddresses(home: Home): void {
  rmSync(addressesFile(home), { force: true });
}

/**
 * The RPC address of a running node of this home. Behind CometBFT that is CometBFT's, read from its config in the same
 * folder.
 * @throws Error when none runs, or its CometBFT has another folder
 */
export function readAddresses(home: Home): { readonly rpc: string; readonly pid: number } {
  const { rpc, pid } = readFile(home);
  const address = rpc ?? readCometConfig(home)?.rpc;
  if (address === undefined) {
    throw new Error(`CometBFT drives the node of ${home.root} and has another home: name its RPC with --node`);
  }
  return { rpc: address, pid };
}

function readFile(home: Home): Addresses & { readonly pid: number } {
  try {
    return JSON.parse(readFileSync(addressesFile(home), 'utf8')) as Addresses & { pid: number };
  } catch {
    throw new Error(
      `no node of ${home.root} is running: start it with \`mud start --home ${home.root}\`, or name its address with --node`,
    );
  }
}
