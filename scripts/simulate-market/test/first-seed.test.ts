import { test } from '@jest/globals';
import { agree, expectDeep } from './short.ts';

test('10,000 messages of one seed do in the application what they do in the model', () => {
  expectDeep(agree({ messages: 10_000, seed: 1 }));
}, 300_000);
