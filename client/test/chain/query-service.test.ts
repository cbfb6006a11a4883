import { expect, test } from '@jest/globals';
import { QueryDefinition, QueryLeaseRequest, QueryLeaseResponse } from '@mu/proto/market';
import { type AbciQuerier, queryService, rawQuery } from '../../src/chain/query-service.ts';

const answering = (answer: Partial<Awaited<ReturnType<AbciQuerier['abciQuery']>>>): AbciQuerier => ({
  abciQuery: () => Promise.resolve({ value: new Uint8Array(), ...answer }),
});

test('a query goes to its gRPC path with the encoded request, and its answer is decoded', async () => {
  let asked: { path: string; data: Uint8Array } | undefined;
  const querier: AbciQuerier = {
    abciQuery(params) {
      asked = params;
      return Promise.resolve({
        value: QueryLeaseResponse.encode(QueryLeaseResponse.fromPartial({ lease: { number: 7n } })).finish(),
      });
    },
  };
  const { lease } = await queryService(querier, QueryDefinition).lease({ number: 7n });
  expect(lease?.number).toBe(7n);
  expect(asked?.path).toBe('/mu.market.v1.Query/Lease');
  expect(QueryLeaseRequest.decode(asked?.data as Uint8Array).number).toBe(7n);
});

test('a missing record is told apart from other refusals', async () => {
  const missing = answering({
    code: 22,
    log: 'rpc error: code = NotFound desc = lease 7 does not exist: key not found',
  });
  await expect(rawQuery(missing, '/x', new Uint8Array())).rejects.toMatchObject({ code: 22, notFound: true });
  await expect(rawQuery(answering({ code: 6, log: 'unknown' }), '/x', new Uint8Array())).rejects.toMatchObject({
    code: 6,
    notFound: false,
  });
});

test('a failed simulation has the code that the transaction would get', async () => {
  const failed = answering({ code: 6, log: 'no', info: '{"codespace":"billing","code":12}' });
  await expect(rawQuery(failed, '/x', new Uint8Array())).rejects.toMatchObject({ codespace: 'billing', code: 12 });
});

test('and says why without the frames of the RPC', async () => {
  const info = '{"codespace":"market","code":13}';
  const framed = (inner: string): string =>
    `rpc error: code = Unknown desc = ${inner} with gas used: '39824': unknown request`;
  const one = answering({ code: 6, info, log: framed('failed to execute message; message index: 0: price is 120') });
  await expect(rawQuery(one, '/x', new Uint8Array())).rejects.toThrow('the transaction would fail: price is 120');
  const second = answering({ code: 6, info, log: framed('failed to execute message; message index: 1: no') });
  await expect(rawQuery(second, '/x', new Uint8Array())).rejects.toThrow('message index: 1: no');
  await expect(rawQuery(answering({ code: 6, info, log: 'plain' }), '/x', new Uint8Array())).rejects.toThrow(
    /: plain$/,
  );
});
