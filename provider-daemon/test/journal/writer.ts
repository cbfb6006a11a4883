/** A process that writes to a journal without end and says after each commit what is on disk; to be killed. */
import { writeSync } from 'node:fs';
import { openJournal } from '../../src/journal/journal.ts';

const [folder = ''] = process.argv.slice(2);
const journal = openJournal(folder, { chainId: 'mu-1', provider: 'mu1p', nodeId: 'node-1' });
for (let i = 1n; ; i += 1n) {
  journal.atomically(() => {
    journal.usage.put(7n, { sequence: i, toHeight: i, counted: [], seen: [], pending: undefined });
    journal.leases.put(7n, { lease: 7n, owner: 'mu1o', dseq: 5n, revision: i, endpoints: ['x'.repeat(2000)] });
  });
  writeSync(1, `${i}\n`);
}
