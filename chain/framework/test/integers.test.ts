import { registry } from '@mu/proto/registry';
import { IntegerCheck } from '../src/integers.ts';

const check = new IntegerCheck(registry);
const send = (amount: string): unknown => ({ fromAddress: 'a', toAddress: 'b', amount: [{ denom: 'umu', amount }] });

describe('integers in messages', () => {
  it.each(['0', '1', '-5', '', (2n ** 256n - 1n).toString(), (1n - 2n ** 256n).toString()])('%p decodes', (amount) => {
    expect(() => check.check('cosmos.bank.v1beta1.MsgSend', send(amount))).not.toThrow();
  });

  it.each([
    '01',
    '-0',
    '+1',
    ' 1',
    '1.0',
    '0x10',
    '1_000',
    'many',
    (2n ** 256n).toString(),
    (-(2n ** 256n)).toString(),
  ])('%p does not', (amount) => {
    const attempt = (): void => check.check('cosmos.bank.v1beta1.MsgSend', send(amount));
    expect(attempt).toThrow('cosmos.bank.v1beta1.MsgSend.amount.amount');
  });

  it('are found in messages within messages', () => {
    const nested = { outputs: [{ coins: [{ denom: 'umu', amount: 'x' }] }], inputs: [] };
    expect(() => check.check('cosmos.bank.v1beta1.MsgMultiSend', nested)).toThrow('outputs.coins.amount');
  });

  it('are looked for in known messages alone', () => {
    expect(() => check.check('no.such.Message', {})).toThrow('no descriptor of no.such.Message');
  });
});
