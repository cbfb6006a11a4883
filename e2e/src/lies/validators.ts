/** Lies of `validators`. */
import { toBase64 } from '@mu/lib/bytes';
import { attacker } from './attacker.ts';
import { type Case, set } from './case.ts';

export const validators: readonly Case[] = [
  {
    name: 'a power',
    kind: 'bad_block',
    fault: 'validators_hash',
    lie: set((r) => {
      r.validators[0].voting_power = '11';
    }),
  },
  {
    name: 'a key',
    kind: 'bad_block',
    fault: 'validator_address',
    lie: set((r) => {
      r.validators[0].pub_key.value = toBase64(attacker.publicKey);
    }),
  },
  {
    name: 'a key and its address',
    kind: 'bad_block',
    fault: 'validators_hash',
    lie: set((r) => {
      r.validators[0].pub_key.value = toBase64(attacker.publicKey);
      r.validators[0].address = attacker.address;
    }),
  },
  {
    name: 'an address',
    kind: 'bad_block',
    fault: 'validator_address',
    lie: set((r) => {
      r.validators[0].address = attacker.address;
    }),
  },
  {
    name: 'a negative power',
    kind: 'bad_block',
    fault: 'voting_power',
    lie: set((r) => {
      r.validators[0].voting_power = '-5';
    }),
  },
  {
    name: 'too much power',
    kind: 'bad_block',
    fault: 'voting_power',
    lie: set((r) => {
      r.validators[0].voting_power = '1152921504606846976';
    }),
  },
  {
    name: 'a validator more',
    kind: 'bad_block',
    fault: 'validators_hash',
    lie: set((r) => {
      r.validators.push({ ...r.validators[0] });
      r.total = '2';
      r.count = '2';
    }),
  },
  {
    name: 'none',
    kind: 'wrong_answer',
    fault: 'validators',
    lie: set((r) => {
      r.validators = [];
    }),
  },
  {
    name: 'more than it says',
    kind: 'wrong_answer',
    fault: 'validators',
    lie: set((r) => {
      r.validators.push(r.validators[0]);
    }),
  },
  {
    name: 'a set without end',
    kind: 'wrong_answer',
    fault: 'validators',
    lie: set((r) => {
      r.total = '1000000';
    }),
  },
  {
    name: 'those of another height',
    kind: 'wrong_answer',
    fault: 'validators',
    lie: set((r) => {
      r.block_height = '1';
    }),
  },
  {
    name: 'a key of no known type',
    kind: 'malformed',
    fault: 'answer',
    lie: set((r) => {
      r.validators[0].pub_key.type = 'x';
    }),
  },
];
