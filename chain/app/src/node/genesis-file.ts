/**
 * The genesis as an engine needs it: at a restart only what stands before the state is read, for the state of a million
 * accounts is a quarter of a gigabyte and was taken up long ago.
 */
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import { documentSpan, members, parseSpan } from '@mu/lib/json-parts';
import { type GenesisDoc, parseGenesis } from '../engine/genesis.ts';
import { type Genesis, GenesisError, genesisOf, readGenesis, readGenesisBytes } from './genesis.ts';

const headBytes = 1_048_576;

/** @throws GenesisError, Error with the place of what is wrong; in a large file what stands behind the state is read later */
export function openGenesis(file: string): GenesisDoc {
  const head = existsSync(file) ? readHead(file) : undefined;
  if (head === undefined) return parseGenesis(readGenesis(file));
  const doc = parseGenesis(genesisOf({ ...head, app_state: {} }, file));
  return {
    ...doc,
    get appState(): Genesis['app_state'] {
      return readGenesis(file).app_state;
    },
    appStateBytes: () => stateIn(file),
  };
}

/** All but the state, where all of it stands before the state and the file goes on behind; undefined otherwise. */
function readHead(path: string): Record<string, unknown> | undefined {
  const bytes = Buffer.allocUnsafe(headBytes);
  const file = openSync(path, 'r');
  try {
    if (readSync(file, bytes) < headBytes) return undefined;
  } finally {
    closeSync(file);
  }
  const fields = fieldsOf(bytes);
  const consensus = 'consensus' in fields || ('consensus_params' in fields && 'validators' in fields);
  const isWhole = consensus && ['genesis_time', 'chain_id', 'initial_height', 'app_hash'].every((key) => key in fields);
  return isWhole && !('app_state' in fields) ? fields : undefined;
}

/** The members that are whole in these bytes. */
function fieldsOf(bytes: Buffer): Record<string, unknown> {
  const fields: Record<string, unknown> = {};
  const start = bytes.indexOf('{');
  try {
    for (const { key, ...span } of members(bytes, { start, end: bytes.length }))
      fields[key] = JSON.parse(bytes.toString('utf8', span.start, span.end)) as unknown;
  } catch {
    // The head ends within a member.
  }
  return fields;
}

/** The state as it stands in the file, the rest of which is checked now. */
function stateIn(file: string): Uint8Array {
  return readGenesisParts(file).state ?? new Uint8Array();
}

/** A genesis whose state is left as it is stored: it may be too large to be read as a whole. */
export interface GenesisParts {
  /** without its state */
  readonly genesis: Genesis;
  /** JSON; undefined where there is none */
  readonly state: Uint8Array | undefined;
}

/** @throws GenesisError with the place of what is wrong outside of the state */
export function readGenesisParts(file: string): GenesisParts {
  const bytes = readGenesisBytes(file);
  const fields: Record<string, unknown> = {};
  let state: Uint8Array | undefined;
  try {
    for (const { key, ...span } of members(bytes, documentSpan(bytes))) {
      const isState = key === 'app_state' && bytes[span.start] === 0x7b;
      if (isState) state = bytes.subarray(span.start, span.end);
      fields[key] = isState ? {} : parseSpan(bytes, span);
    }
  } catch (error) {
    throw new GenesisError(`${file} is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
  return { genesis: genesisOf(fields, file), state };
}
