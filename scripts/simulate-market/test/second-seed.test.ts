import { test } from '@jest/globals';
import { agree, expectDeep } from './short.ts';

// In a file of its own: the two run side by side.
test('10,000 messages of another seed do in the application what they do in the model', () => {
  expectDeep(agree({ messages: 10_000, seed: 2 }));
}, 300_000);
