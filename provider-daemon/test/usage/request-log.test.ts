import { expect, test } from '@jest/globals';
import { utf8 } from '@mu/lib/bytes';
import { merkleRoot } from '@mu/lib/merkle';
import { RequestLog } from '../../src/usage/request-log.ts';

test('the root is that of a tree of all lines, however many there are; then the next one begins', () => {
  const log = new RequestLog();
  for (let count = 0; count <= 70; count += 1) {
    const lines = Array.from({ length: count }, (_, at) => `GET /${at} 200 ü`);
    for (const line of lines) log.append(7n, line);
    log.append(8n, 'of another lease');
    expect(log.takeRoot(7n)).toEqual(merkleRoot(lines.map(utf8)));
  }
  expect(log.takeRoot(7n)).toEqual(merkleRoot([]));
  log.append(7n, 'forgotten');
  log.forget(7n);
  expect(log.takeRoot(7n)).toEqual(merkleRoot([]));
});
