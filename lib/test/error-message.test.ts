import { expect, it } from '@jest/globals';
import { messageOf } from '../src/error-message.ts';

it('says what was thrown, whatever it is', () => {
  expect([new RangeError('too many'), 'a text', 7n, undefined].map(messageOf)).toEqual([
    'too many',
    'a text',
    '7',
    'undefined',
  ]);
});
