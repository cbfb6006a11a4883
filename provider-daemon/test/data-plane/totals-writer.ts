/** Counts, tells, counts once more, and is killed. */
import { writeSync } from 'node:fs';
import { Totals } from '../../src/data-plane/totals.ts';

const totals = new Totals(process.argv[2] as string);
totals.add('1', [{ service: 'gw', metric: 'gateway-requests', quantity: 7n }]);
writeSync(1, JSON.stringify(totals.all()));
totals.add('1', [{ service: 'gw', metric: 'gateway-requests', quantity: 5n }]);
process.kill(process.pid, 'SIGKILL');
