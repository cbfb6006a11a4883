/** In-place migrations: the order of modules, the order of steps, what lacks. */
import { describe, expect, test } from '@jest/globals';
import { type Context, freshContext } from '../src/context.ts';
import { runMigrations, versionsOf } from '../src/migrations.ts';
import type { AppModule, Json, Migration } from '../src/module.ts';
import { BranchMultiStore } from '../src/store/branch-store.ts';
import { MemoryCommitStore } from '../src/store/memory-commit-store.ts';

const ctx: Context = freshContext({
  chain: { chainId: 'toy-1', bech32Prefix: 'toy', denom: 'utoy' },
  block: { height: 1n, timeNs: 0n, proposer: new Uint8Array() },
  mode: 'finalize',
  stores: new BranchMultiStore(new MemoryCommitStore(['toy'])),
});

/** A module that notes what is done to it. */
function noting(
  log: string[],
  name: string,
  consensusVersion: bigint,
  steps: readonly bigint[] | undefined,
): AppModule {
  const migrations: Migration[] | undefined = steps?.map((from) => ({
    from,
    run: () => void log.push(`${name} ${from}`),
  }));
  return {
    name,
    storeName: 'toy',
    consensusVersion,
    invariants: [],
    genesis: {
      defaults: () => `defaults of ${name}`,
      validate: () => undefined,
      init: (_ctx, json) => void log.push(`${name} from ${json as string}`),
      export: () => ({}),
    },
    registerMsgs: () => undefined,
    registerQueries: () => undefined,
    ...(migrations === undefined ? {} : { migrations }),
  };
}

test('modules come by name, auth last; steps one after the other, whatever order they are listed in', () => {
  const log: string[] = [];
  const modules = [
    noting(log, 'market', 3n, [2n, 1n]),
    noting(log, 'auth', 2n, [1n]),
    noting(log, 'bank', 4n, [1n, 2n, 3n]),
    noting(log, 'same', 5n, undefined),
  ];
  const from = new Map([
    ['market', 1n],
    ['auth', 1n],
    ['bank', 2n],
    ['same', 5n],
    ['gone', 1n],
  ]);
  const after = runMigrations(ctx, modules, from);
  expect(log).toEqual(['bank 2', 'bank 3', 'market 1', 'market 2', 'auth 1']);
  expect(after).toEqual(versionsOf(modules));
  expect(after.has('gone')).toBe(false);
});

test('a module that the state does not know begins with its defaults, or with those that are given', () => {
  const log: string[] = [];
  const modules = [noting(log, 'new', 1n, undefined)];
  runMigrations(ctx, modules, new Map());
  runMigrations(ctx, modules, new Map(), ({ name }): Json => `other ${name}`);
  expect(log).toEqual(['new from defaults of new', 'new from other new']);
});

describe('what cannot be migrated is said', () => {
  test.each([
    ['no steps at all', undefined, 1n, 'no migrations found for module market'],
    ['a step in the middle', [1n, 3n], 1n, 'no migration found for module market from version 2 to version 3'],
    ['a newer state', [], 9n, 'module market has version 9 in the state, this program 4'],
  ])('%s', (_what, steps, from, message) => {
    const log: string[] = [];
    const modules = [noting(log, 'market', 4n, steps)];
    expect(() => runMigrations(ctx, modules, new Map([['market', from]]))).toThrow(message);
  });
});
