/** Lies of `abci_query`. */
import { toBase64, toHex } from '@mu/lib/bytes';
import { supplyKey } from '@mu/lib/state-keys';
import type { Ask, Json } from '../lying-rpc.ts';
import { type Case, flipBase64, response } from './case.ts';

/** Another answer of the node itself, with its real proof. */
async function answerTo(ask: Ask, key: string, height: string): Promise<Json> {
  return (await ask('abci_query', { path: '/store/bank/key', data: key, height, prove: true })).response;
}

/** A key that is in the store too. */
const otherKey = supplyKey('umu');

/** Told to whoever asks for a balance. */
export const answers: readonly Case[] = [
  {
    name: 'the value',
    kind: 'invalid_proof',
    fault: 'proof_value',
    lie: response((r) => {
      r.value = toBase64(Buffer.from('2000000000000'));
    }),
  },
  {
    name: 'a value where there is none',
    about: 'poor',
    kind: 'invalid_proof',
    fault: 'proof_form',
    lie: response((r) => {
      r.value = toBase64(Buffer.from('1'));
    }),
  },
  {
    name: 'no value where there is one',
    kind: 'invalid_proof',
    fault: 'proof_form',
    lie: response((r) => {
      r.value = '';
    }),
  },
  {
    name: 'no proof',
    kind: 'invalid_proof',
    fault: 'proof_missing',
    lie: response((r) => {
      delete r.proofOps;
    }),
  },
  {
    name: 'half a proof',
    kind: 'invalid_proof',
    fault: 'proof_missing',
    lie: response((r) => {
      r.proofOps.ops.pop();
    }),
  },
  {
    name: 'a bit of the proof’s leaf',
    kind: 'invalid_proof',
    lie: response((r) => {
      r.proofOps.ops[0].data = flipBase64(r.proofOps.ops[0].data, 0.1);
    }),
  },
  {
    name: 'a bit of the proof’s path',
    kind: 'invalid_proof',
    lie: response((r) => {
      r.proofOps.ops[0].data = flipBase64(r.proofOps.ops[0].data, 0.9);
    }),
  },
  {
    name: 'a bit of the stores’ proof',
    kind: 'invalid_proof',
    lie: response((r) => {
      r.proofOps.ops[1].data = flipBase64(r.proofOps.ops[1].data, 0.9);
    }),
  },
  {
    name: 'the store’s name',
    kind: 'invalid_proof',
    fault: 'proof_key',
    lie: response((r) => {
      r.proofOps.ops[1].key = toBase64(Buffer.from('acc'));
    }),
  },
  {
    name: 'the key',
    kind: 'wrong_answer',
    fault: 'proof_key',
    lie: response((r) => {
      r.key = toBase64(otherKey);
    }),
  },
  {
    name: 'the height',
    kind: 'wrong_answer',
    fault: 'height',
    lie: response((r) => {
      r.height = (Number(r.height) - 1).toString();
    }),
  },
  {
    name: 'an old value with its real old proof',
    kind: 'invalid_proof',
    fault: 'proof_root',
    lie: (result, { data }, ask) =>
      answerTo(ask, data, '2').then((old) => ({ response: { ...old, height: result.response.height } })),
  },
  {
    name: 'the value of another key',
    about: 'poor',
    kind: 'invalid_proof',
    fault: 'proof_key',
    lie: (result, _params, ask) =>
      answerTo(ask, toHex(otherKey), result.response.height).then((other) => ({
        response: { ...other, key: result.response.key },
      })),
  },
  {
    name: 'that it does not know',
    kind: 'no_block',
    fault: 'code',
    lie: response((r) => {
      r.code = 18;
      r.log = 'no such store';
    }),
  },
];
