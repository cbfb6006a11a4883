import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageReport } from '@mu/proto/billing';
import { open } from 'lmdb';
import { type Journal, JournalError, type LeaseRecord, openJournal } from '../../src/journal/journal.ts';
import type { UsageState } from '../../src/usage/report.ts';

const owner = { chainId: 'mu-1', provider: 'mu1p', nodeId: 'node-1' };
const state: UsageState = {
  sequence: 3n,
  toHeight: 2n ** 60n,
  counted: [{ service: 'gw', metric: 'gateway-requests', quantity: 2n ** 64n - 1n }],
  seen: [{ service: 'gw', metric: 'gateway-requests', quantity: 2n ** 70n }],
  pending: {
    report: UsageReport.fromPartial({
      lease: 7n,
      nodeId: 'node-1',
      sequence: 4n,
      fromHeight: 1n,
      toHeight: 9n,
      items: [{ service: 'gw', metric: 'gateway-requests', quantity: 5n }],
      logRoot: new Uint8Array(32),
    }),
    signature: new Uint8Array(64).fill(9),
  },
};

const recordOf = (lease: bigint): LeaseRecord => ({ lease, owner: 'mu1o', dseq: 5n, revision: 1n, endpoints: [] });

let folder: string;
let journal: Journal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-journal-'));
  journal = openJournal(join(folder, 'journal'), owner);
});
afterEach(async () => {
  await journal.close();
  rmSync(folder, { recursive: true });
});

const reopened = async (): Promise<Journal> => {
  await journal.close();
  journal = openJournal(join(folder, 'journal'), owner);
  return journal;
};

describe('the journal', () => {
  it('gives back what was written, also after it was closed', async () => {
    const manifest = {
      owner: 'mu1o',
      dseq: 5n,
      revision: 2n,
      folder: 'ab'.repeat(16),
      version: new Uint8Array(32).fill(1),
      infrastructures: ['main'],
    };
    const lease = { lease: 7n, owner: 'mu1o', dseq: 5n, revision: 2n, endpoints: ['http://a/~b'] };
    journal.usage.put(7n, state);
    journal.manifests.put(manifest, manifest);
    const given = { ...manifest, revision: 3n, from: ['mu1first', 'mu1second'], eraseAt: 9n };
    const own = { ...manifest, revision: 4n, from: [] };
    for (const one of [given, own]) journal.manifests.put(one, one);
    journal.leases.put(7n, lease);
    await reopened();
    expect(journal.usage.get(7n)).toEqual(state);
    expect(journal.manifests.get({ owner: 'mu1o', dseq: 5n, revision: 2n })).toEqual(manifest);
    expect(journal.manifests.get({ owner: 'mu1o', dseq: 5n, revision: 1n })).toBeUndefined();
    expect([journal.manifests.get(given), journal.manifests.get(own)]).toEqual([given, own]);
    expect(journal.leases.all()).toEqual([lease]);
  });

  it('lists in the order of numbers, and forgets what is deleted', () => {
    for (const lease of [10n, 9n, 100n]) journal.leases.put(lease, recordOf(lease));
    expect(journal.leases.all().map(({ lease }) => lease)).toEqual([9n, 10n, 100n]);
    journal.leases.delete(10n);
    expect(journal.leases.all().map(({ lease }) => lease)).toEqual([9n, 100n]);
  });

  it('writes nothing of a transaction that throws', () => {
    expect(() =>
      journal.atomically(() => {
        journal.usage.put(7n, state);
        journal.leases.put(7n, recordOf(7n));
        throw new Error('no');
      }),
    ).toThrow('no');
    expect([journal.usage.all(), journal.leases.all()]).toEqual([[], []]);
  });

  it('is refused by another chain or node', () => {
    for (const other of [{ chainId: 'mu-2' }, { nodeId: 'node-2' }, { provider: 'mu1q' }]) {
      expect(() => openJournal(join(folder, 'journal'), { ...owner, ...other })).toThrow(JournalError);
    }
  });

  it('names the entry that it cannot read', async () => {
    await journal.close();
    const raw = open<string, string>({ path: join(folder, 'journal'), encoding: 'string', maxDbs: 8 });
    raw.openDB<string, string>({ name: 'leases', encoding: 'string' }).putSync('00000000000000000007', '{"lease":7}');
    await raw.close();
    journal = openJournal(join(folder, 'journal'), owner);
    expect(() => journal.leases.get(7n)).toThrow(/leases\/00000000000000000007/);
  });

  it('has all that was committed after SIGKILL, and no half of a transaction', async () => {
    const path = join(folder, 'killed');
    const child = spawn(process.execPath, [fileURLToPath(new URL('./writer.ts', import.meta.url)), path]);
    let said = '';
    let errors = '';
    child.stderr.on('data', (chunk) => {
      errors += String(chunk);
    });
    child.stdout.on('data', (chunk) => {
      said += String(chunk);
      if (said.split('\n').length > 50) child.kill('SIGKILL');
    });
    const [code, signal] = await once(child, 'close');
    expect({ code, signal, errors }).toEqual({ code: null, signal: 'SIGKILL', errors: '' });
    const last = BigInt(said.trim().split('\n').at(-1) ?? '');
    const survivor = openJournal(path, owner);
    const usage = survivor.usage.get(7n);
    const lease = survivor.leases.get(7n);
    await survivor.close();
    expect(usage!.sequence >= last).toBe(true);
    expect(lease?.revision).toBe(usage?.sequence);
  });
});
