import { BinaryWriter } from '@bufbuild/protobuf/wire';
import { describe, expect, test } from '@jest/globals';
import { OrderState, QueryOrderRequest, QueryOrdersRequest } from '@mu/proto/market';
import { QueryAppliedPlanRequest, QueryModuleVersionsRequest } from 'cosmjs-types/cosmos/upgrade/v1beta1/query';
import { runQuery } from '../src/commands/query.ts';
import type { Session } from '../src/session.ts';

/** A session whose chain answers everything with an empty message and remembers what it was asked. */
function recording(): { session: Session; asked: { path: string; data: Uint8Array }[]; printed: unknown[] } {
  const asked: { path: string; data: Uint8Array }[] = [];
  const printed: unknown[] = [];
  const client = {
    query: (path: string, data: Uint8Array) => {
      asked.push({ path, data });
      return Promise.resolve(new BinaryWriter().finish());
    },
  };
  const output = { json: true, result: (value: unknown) => printed.push(value), step: () => undefined };
  const both = { client: () => Promise.resolve(client), verified: () => Promise.resolve(client) };
  const session = { ...both, config: { trust_node: 'false' }, output };
  return { session: session as unknown as Session, asked, printed };
}

test('what stands in the REST path is an argument, the rest are options; enums need no prefix', async () => {
  const { session, asked, printed } = recording();
  await runQuery(session, [
    'market',
    'orders',
    '--region',
    'local',
    '--state=open',
    '--limit',
    '5',
    '--reverse',
    'true',
  ]);
  await runQuery(session, ['market', 'order', 'mu1owner', '7', '0', '1']);
  expect(asked.map(({ path }) => path)).toEqual(['/mu.market.v1.Query/Orders', '/mu.market.v1.Query/Order']);
  expect(QueryOrdersRequest.decode(asked[0]?.data as Uint8Array)).toMatchObject({
    region: 'local',
    state: OrderState.ORDER_STATE_OPEN,
    pagination: { limit: 5n, reverse: true },
  });
  expect(QueryOrderRequest.decode(asked[1]?.data as Uint8Array)).toMatchObject({
    owner: 'mu1owner',
    dseq: 7n,
    round: 1,
  });
  expect(printed[0]).toMatchObject({ orders: [] });
});

test('upgrades and consensus parameters are asked by their standard names, and by those of the SDK’s command line', async () => {
  const { session, asked } = recording();
  for (const words of [['plan'], ['current-plan'], ['applied', 'v2'], ['module-versions', '--module-name', 'bank']])
    await runQuery(session, ['upgrade', ...words]);
  await runQuery(session, ['consensus', 'params']);
  const upgrade = '/cosmos.upgrade.v1beta1.Query';
  expect(asked.map(({ path }) => path)).toEqual([
    `${upgrade}/CurrentPlan`,
    `${upgrade}/CurrentPlan`,
    `${upgrade}/AppliedPlan`,
    `${upgrade}/ModuleVersions`,
    '/cosmos.consensus.v1.Query/Params',
  ]);
  expect(QueryAppliedPlanRequest.decode(asked[2]?.data as Uint8Array)).toEqual({ name: 'v2' });
  expect(QueryModuleVersionsRequest.decode(asked[3]?.data as Uint8Array)).toEqual({ moduleName: 'bank' });
});

describe('what is wrong is said with the right way', () => {
  const cases: [string, string[], string][] = [
    ['an unknown module', ['mint', 'params'], 'There are: bank, provider'],
    ['an unknown query', ['market', 'oders'], 'mucli query market orders'],
    ['no query', ['market'], 'queries of market'],
    ['an unknown option', ['market', 'orders', '--regio', 'x'], 'unknown option --regio'],
    ['a missing argument', ['market', 'order', 'mu1owner'], 'DSEQ, INFRASTRUCTURE, ROUND is missing'],
    ['one argument too many', ['market', 'params', 'x'], 'one argument too many'],
    ['an option without value', ['market', 'orders', '--region'], '--region needs a value'],
    ['an enum value that is not', ['market', 'orders', '--state', 'ajar'], 'ORDER_STATE_OPEN'],
    ['a number that is none', ['market', 'order', 'mu1owner', 'seven', '0', '1'], 'dseq'],
  ];
  test.each(cases)('%s', async (_what, words, message) => {
    const { session, asked } = recording();
    await expect(runQuery(session, words)).rejects.toThrow(message);
    expect(asked).toEqual([]);
  });
});
