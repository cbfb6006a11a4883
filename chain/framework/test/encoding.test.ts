import { expect, test } from '@jest/globals';
import '../src/encoding.ts';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';

test('an encoded message holds its own bytes and no more', () => {
  const bytes = MsgSend.encode({ fromAddress: 'a', toAddress: 'b', amount: [] }).finish();
  expect(bytes).toEqual(Uint8Array.of(10, 1, 97, 18, 1, 98));
  expect(bytes.buffer.byteLength).toBe(bytes.length);
});
