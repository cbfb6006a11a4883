/**
 * Bad input through the whole application: each thing that a message is refused for, by its code and the README's text,
 * with the state untouched but for the fee. And what stands at its limit is taken.
 */
import { describe, expect, test } from '@jest/globals';
import { registeredErrors } from '@mu/framework/errors';
import { ManifestState, MsgSubmitLeaseConfirmations, MsgSubmitLeaseConfirmationsResponse } from '@mu/proto/market';
import { TxMsgData } from 'cosmjs-types/cosmos/base/abci/v1beta1/abci';
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import { fee } from './mu-chain.ts';
import { billingRows } from './refusals/billing.ts';
import { execute } from './refusals/chain-of.ts';
import { deploymentRows } from './refusals/deployment.ts';
import { allLimits, taken } from './refusals/limits.ts';
import { marketRows } from './refusals/market.ts';
import { send } from './refusals/messages.ts';
import { preconditions } from './refusals/preconditions.ts';
import { providerRows } from './refusals/provider.ts';
import { modules, overLimit, type Row, readmeErrors, textOf } from './refusals/row.ts';
import { type Stage, type StageName, stages } from './refusals/stages.ts';
import { type Snapshot, snapshot } from './refusals/state-hash.ts';

const allRows: readonly Row[] = [
  ...providerRows,
  ...deploymentRows,
  ...marketRows,
  ...billingRows,
  ...allLimits.flatMap(overLimit),
];

/** Codes that no message can cause, and why. */
const unreachable: Readonly<Record<string, string>> = {
  'billing 3': 'a dseq is used once, so its escrow is opened once; x/billing/test/escrow.test.ts',
  'billing 35': 'a lease names a version of a list that stood, and lists stay; x/billing/test/usage.test.ts',
  'billing 36': 'a bid is refused for it first (market 15), and lists never change; x/billing/test/usage.test.ts',
};

/** `<module> <message>: <codespace> <code>` of all rows that were run. */
const refused = new Set<string>();

/** What a stranger writes into a message does not fill the results of a block, however long it is. */
const longestLog = 1_000;

const begun = new Map<StageName, Promise<Stage>>();

/** The chain of a situation: refusals leave it as it is, so that all rows share one. */
function stageOf(name: StageName): Promise<Stage> {
  const known = begun.get(name) ?? stages[name]();
  begun.set(name, known);
  return known;
}

/** What was paid for a transaction: those that are none, or not their signer's, are refused before their fee is taken. */
const paidFor = ({ events }: ExecTxResult): bigint => (events.length === 0 ? 0n : fee);

function expectUntouched(before: Snapshot, after: Snapshot, paid: bigint): void {
  expect(after.hash).toBe(before.hash);
  expect(before.payer - after.payer).toBe(paid);
  expect(after.collector - before.collector).toBe(paid);
}

async function expectRefused(row: Row): Promise<void> {
  const at = await stageOf(row.stage);
  const wish = row.make(at);
  const before = snapshot(at.market.chain, wish.from);
  for (const { typeUrl } of wish.messages) {
    const [, module, , message] = typeUrl.split('.');
    refused.add(`${module} ${message?.slice('Msg'.length)}: ${row.codespace} ${row.code}`);
  }
  const result = await execute(at, wish);
  const { codespace, code, log } = result;
  const text = textOf(row);
  expect({ codespace, code, log: log.endsWith(text) ? text : log }).toEqual({
    codespace: row.codespace,
    code: row.code,
    log: text,
  });
  expect(log.length).toBeLessThan(longestLog);
  const after = snapshot(at.market.chain, wish.from);
  if (at.twin === undefined) expectUntouched(before, after, paidFor(result));
  else expect(after).toEqual(snapshot(at.twin, wish.from));
}

describe.each(modules)('%s refuses', (module) => {
  const own = allRows.filter((row) => row.module === module);
  test.each(own.map((row) => [row.codespace, row.code, row.what, row.stage, row] as const))(
    '%s %d: %s (%s)',
    (_codespace, _code, _what, _stage, row) => expectRefused(row),
  );
});

test('a batch of confirmations is taken; each that is refused has its code, and the state is untouched', async () => {
  const at = await stageOf('leased');
  const { cheap } = at.who;
  const confirmed = [
    { lease: 99n, endpoints: [], manifestState: ManifestState.MANIFEST_STATE_RUNNING, manifestRevision: 1n },
    { lease: 3n, endpoints: [], manifestState: ManifestState.MANIFEST_STATE_RUNNING, manifestRevision: 1n },
    { lease: 1n, endpoints: [], manifestState: ManifestState.MANIFEST_STATE_RUNNING, manifestRevision: 1n },
    { lease: 2n, endpoints: ['no-url'], manifestState: ManifestState.MANIFEST_STATE_RUNNING, manifestRevision: 1n },
    { lease: 2n, endpoints: [], manifestState: ManifestState.MANIFEST_STATE_UNSPECIFIED, manifestRevision: 1n },
  ];
  const message = MsgSubmitLeaseConfirmations.fromPartial({ sender: cheap.address, confirmations: confirmed });
  const before = snapshot(at.market.chain, cheap);
  const { code, data } = await execute(at, send(cheap, MsgSubmitLeaseConfirmations, message));
  expect(code).toBe(0);
  const [response] = TxMsgData.decode(data).msgResponses;
  const { results } = MsgSubmitLeaseConfirmationsResponse.decode(response?.value ?? new Uint8Array());
  expect(results.map((one) => `${one.lease}: ${one.codespace} ${one.code}`)).toEqual([
    '99: market 23',
    '3: sdk 4',
    '1: market 24',
    '2: market 27',
    '2: market 28',
  ]);
  expectUntouched(before, snapshot(at.market.chain, cheap), fee);
});

describe('at its limit is taken', () => {
  let at: Promise<Stage> | undefined;
  const fresh = (): Promise<Stage> => {
    at ??= stages.limits();
    return at;
  };
  const atLimit = allLimits.map(({ most, what, make }) => [`${most} ${what}`, (on: Stage) => make(on, most)] as const);
  test.each([...atLimit, ...taken])('%s', async (_what, make) => {
    const on = await fresh();
    const { code, codespace, log } = await execute(on, make(on));
    expect({ code, codespace, log }).toEqual({ code: 0, codespace: '', log: '' });
  });
});

describe('the rows', () => {
  test.each(modules)('cover every code of %s that a message can cause', (module) => {
    const covered = new Set(allRows.filter((row) => row.codespace === module).map(({ code }) => code));
    const excepted = Object.keys(unreachable).filter((pair) => pair.startsWith(`${module} `));
    const all = [...readmeErrors(module).keys()].map((code) => `${module} ${code}`);
    const missing = all.filter((pair) => !covered.has(Number(pair.split(' ')[1])));
    expect(missing).toEqual(excepted);
    const registered = registeredErrors().filter(([codespace]) => codespace === module);
    expect(registered.map(([, code, text]) => [code, text])).toEqual([...readmeErrors(module)]);
  });

  test('cover every precondition of every message that it can miss', () => {
    const said = modules.flatMap(preconditions);
    expect(said.length).toBeGreaterThan(150);
    const missing = said.filter((one) => !refused.has(one));
    expect(missing).toEqual(said.filter((one) => Object.keys(unreachable).some((pair) => one.endsWith(`: ${pair}`))));
  });

  test('are each told apart by their names', () => {
    const names = allRows.map(({ module, what, stage }) => `${module}: ${what} (${stage})`);
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
  });
});
