/** What concerns us in CometBFT's own config, where it shares the home folder. */
import { existsSync, readFileSync } from 'node:fs';
import { parse } from 'smol-toml';
import type { Home } from './home.ts';

export interface CometConfig {
  /** `http://host:port`; undefined where the RPC is off */
  readonly rpc: string | undefined;
  readonly createsEmptyBlocks: boolean;
}

/** Undefined where there is none, or none that can be read: it is CometBFT's to complain of it. */
export function readCometConfig(home: Home): CometConfig | undefined {
  if (!existsSync(home.cometConfig)) return undefined;
  try {
    const toml = parse(readFileSync(home.cometConfig, 'utf8'));
    const laddr = settingOf(toml['rpc'], 'laddr');
    return {
      rpc: typeof laddr === 'string' && laddr !== '' ? asDialled(laddr) : undefined,
      createsEmptyBlocks: settingOf(toml['consensus'], 'create_empty_blocks') !== false,
    };
  } catch {
    return undefined;
  }
}

/** Who listens everywhere is reached here. */
function asDialled(laddr: string): string {
  return laddr.replace(/^tcp:\/\/0\.0\.0\.0:/, 'tcp://127.0.0.1:').replace(/^tcp:/, 'http:');
}

function settingOf(section: unknown, key: string): unknown {
  return typeof section === 'object' && section !== null ? (section as Record<string, unknown>)[key] : undefined;
}
