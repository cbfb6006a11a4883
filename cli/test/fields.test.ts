/** Fields of queries and messages as they are typed, and lists that come in pages. */
import { describe, expect, test } from '@jest/globals';
import { QueryProvidersRequest, QueryProvidersResponse } from '@mu/proto/provider';
import { registry } from '@mu/proto/registry';
import { fieldValue, readFields } from '../src/commands/proto-fields.ts';
import { runQuery } from '../src/commands/query.ts';
import type { Session } from '../src/session.ts';

const formOf = (typeName: string, ...without: string[]) => ({
  command: 'mucli',
  positional: [],
  options: (registry.getMessage(typeName)?.fields ?? []).filter(({ name }) => !without.includes(name)),
});
const providers = formOf('mu.provider.v1.QueryProvidersRequest');
const deposit = formOf('mu.billing.v1.MsgDeposit', 'depositor');
const close = formOf('mu.market.v1.MsgCloseLease', 'sender');
const confirm = formOf('mu.market.v1.MsgSubmitLeaseConfirmations', 'sender');

describe('options are fields', () => {
  test('pairs, once for each; parts of pages by their own names', () => {
    const words = '--attribute tier=gold --attribute=zone=a=b --page-key AAE= --limit 5 --reverse --region east'.split(
      ' ',
    );
    expect(readFields(providers, words)).toEqual({
      attributes: [
        { key: 'tier', value: 'gold' },
        { key: 'zone', value: 'a=b' },
      ],
      pagination: { key: 'AAE=', limit: '5', reverse: true },
      region: 'east',
    });
  });

  test('a list whole, as JSON', () => {
    expect(readFields(providers, ['--attributes', '[{"key":"a","value":"b"}]'])).toEqual({
      attributes: [{ key: 'a', value: 'b' }],
    });
    expect(readFields(confirm, ['--confirmation', '{"lease":"7"}'])).toEqual({ confirmations: [{ lease: '7' }] });
  });

  test('coins and enums as people write them', () => {
    expect(readFields(deposit, ['--amount', '10umu', '--dseq', '7'])).toEqual({
      amount: { amount: '10', denom: 'umu' },
      dseq: '7',
    });
    expect(readFields(close, ['--reason', 'not-serving'])).toEqual({ reason: 'CLOSE_REASON_NOT_SERVING' });
  });

  const wrong: [string, typeof providers, string[], string][] = [
    ['a pair without =', providers, ['--attribute', 'gold'], 'write key=value'],
    ['a coin that is none', deposit, ['--amount', 'ten'], 'an amount like 1000umu'],
    ['a message that is no JSON', confirm, ['--confirmation', 'x'], 'JSON of mu.market.v1.Confirmation'],
    ['a page as a whole', providers, ['--pagination', '{}'], 'unknown option --pagination'],
    ['an option without its value', deposit, ['--dseq'], '--dseq needs a value'],
  ];
  test.each(wrong)('%s', (_what, form, words, text) => {
    expect(() => readFields(form, words)).toThrow(text);
  });

  test('a flag of its own says no as well', () => {
    expect(readFields(providers, ['--reverse', 'false'])).toEqual({ pagination: { reverse: false } });
    const field = providers.options[0];
    expect(field === undefined ? '' : fieldValue(field, 'east')).toBe('east');
  });
});

test('--all asks page by page and answers the list whole', async () => {
  const asked: QueryProvidersRequest[] = [];
  const printed: unknown[] = [];
  const query = (_path: string, data: Uint8Array): Promise<Uint8Array> => {
    const request = QueryProvidersRequest.decode(data);
    asked.push(request);
    const nextKey = asked.length < 3 ? Buffer.from([asked.length]) : Buffer.alloc(0);
    const answer = { providers: [{ owner: `mu1number${asked.length}` }], pagination: { nextKey } };
    return Promise.resolve(QueryProvidersResponse.encode(QueryProvidersResponse.fromPartial(answer)).finish());
  };
  const output = { json: true, result: (value: unknown) => printed.push(value), step: () => undefined };
  const client = () => Promise.resolve({ query });
  const session = { client, verified: client, config: { trust_node: 'false' }, output } as unknown as Session;
  await runQuery(session, ['provider', 'providers', '--all', '--region', 'east']);
  expect(asked.map(({ pagination, region }) => [region, pagination?.limit, pagination?.key.join()])).toEqual([
    ['east', 1_000n, ''],
    ['east', 1_000n, '1'],
    ['east', 1_000n, '2'],
  ]);
  const [whole] = printed as { providers: { owner: string }[]; pagination: { next_key: unknown } }[];
  expect(whole?.providers.map(({ owner }) => owner)).toEqual(['mu1number1', 'mu1number2', 'mu1number3']);
  expect(whole?.pagination.next_key).toBeNull();
  await expect(runQuery(session, ['provider', 'params', '--all'])).rejects.toThrow('no pages');
});
