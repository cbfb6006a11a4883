/** A program that has no file descriptor left, and says what comes of starting processes then. Run by tests with a low limit. */
import { openSync } from 'node:fs';
import { PriceScript } from '../../src/bidding/price-script.ts';
import { SandboxPool } from '../../src/workloads/sandbox-pool.ts';

const isolation = { prefix: [], uid: undefined, networkNamespace: false, description: '' };
const code = { folder: '/nowhere', readable: [], remove: async () => {} };
const pool = new SandboxPool({ isolation, code }, 1);
const script = new PriceScript({ program: '/bin/cat', timeoutMs: 5_000, jobs: 1 });
try {
  for (;;) openSync('/dev/null', 'r');
} catch {
  // All are taken.
}
const said: unknown[] = [];
const sandbox = pool.take();
await sandbox.ready().catch((error: Error) => said.push(error.message));
await sandbox.exited();
await pool.close();
said.push(await script.ask('{}'));
process.stdout.write(`${JSON.stringify(said)}\n`);
