import { test } from '@jest/globals';
import { agree } from './short.ts';

test('every invariant holds after every message', () => {
  agree({ messages: 600, seed: 3, chainMessages: 120, invariants: 'message' });
}, 300_000);
