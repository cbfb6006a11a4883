/**
 * The genesis as an engine needs it: at a restart only what stands before the state is read, for the state of a million
 * accounts is a quarter of a gigabyte and was taken up long ago.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { findSpan, members } from '@mu/lib/json-parts';
import { type GenesisDoc, parseGenesis } from '../engine/genesis.ts';
import { type Genesis, genesisOf, readGenesis } from './genesis.ts';

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
  const bytes = readFileSync(file);
  const span = findSpan(bytes, ['app_state']);
  const others = [...members(bytes, { start: bytes.indexOf('{'), end: bytes.length })].filter(
    ({ key }) => key !== 'app_state',
  );
  const rest = others.map(({ key, start, end }) => [key, JSON.parse(bytes.toString('utf8', start, end)) as unknown]);
  genesisOf({ ...Object.fromEntries(rest), ...(span === undefined ? {} : { app_state: {} }) }, file);
  return span === undefined ? new Uint8Array() : bytes.subarray(span.start, span.end);
}
