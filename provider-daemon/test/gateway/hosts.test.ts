import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import dns from 'dns-packet';
import { FileHostStore, type HostStore, MemoryHostStore } from '../../src/gateway/host-store.ts';
import { graceMs, HostBook, maxHosts, recheckMs } from '../../src/gateway/hosts.ts';
import { dnsResolver } from '../../src/gateway/txt-resolver.ts';

const first = 'mu1first/7';
const second = 'mu1second/9';
const host = 'www.tenant.example';

let now: number;
let records: Record<string, string[]>;
let broken: boolean;
let asked: string[];
let changed: string[];
let store: HostStore;
let book: HostBook;

function open(): HostBook {
  return new HostBook({
    store,
    resolver: {
      async txt(name) {
        asked.push(name);
        if (broken) throw new Error('no name server answers');
        return records[name] ?? [];
      },
    },
    now: () => now,
    log: { info: () => {}, warn: () => {} },
    reserved: ['mu.example'],
    onChange: (id) => void changed.push(id),
  });
}

beforeEach(() => {
  now = 1_000_000;
  records = {};
  broken = false;
  asked = [];
  changed = [];
  store = new MemoryHostStore();
  book = open();
});

async function later(ms: number): Promise<void> {
  now += ms;
  await book.check();
}

describe('a custom host name', () => {
  test('is served once its record shows the deployment, and not before', async () => {
    book.want(first, ['WWW.Tenant.Example.']);
    await book.check();
    expect([book.served(first), asked]).toEqual([[], [`_mu.${host}`]]);
    expect(book.status(first)).toEqual([
      { host, state: 'waiting', reason: `the TXT record _mu.${host} does not say ${first} yet` },
    ]);
    records[`_mu.${host}`] = ['v=spf1', `mu1first/71`, `x${first}`];
    await later(60_000);
    expect(book.served(first)).toEqual([]);
    records[`_mu.${host}`]!.push(` ${first} `);
    await later(120_000);
    expect([book.served(first), changed]).toEqual([[host], [first]]);
    expect(book.status(first)).toEqual([{ host, state: 'served' }]);
  });

  test('that waits is asked for less and less often', async () => {
    book.want(first, [host]);
    await book.check();
    for (let minute = 1; minute <= 180; minute += 1) await later(60_000);
    // After 1, 2, 4, 8, 16, 32 minutes, then each hour.
    expect(asked).toHaveLength(1 + 6 + 1);
  });

  test('is looked at daily, and dropped at the first look after its record has gone', async () => {
    records[`_mu.${host}`] = [first];
    book.want(first, [host]);
    await book.check();
    records[`_mu.${host}`] = [];
    await later(recheckMs - 1);
    expect(book.served(first)).toEqual([host]);
    await later(1);
    expect([book.served(first), changed, store.load()]).toEqual([[], [first, first], []]);
  });

  test('is whose proof was first; another one gets it when that is gone', async () => {
    records[`_mu.${host}`] = [first];
    book.want(first, [host]);
    await book.check();
    records[`_mu.${host}`] = [second, first];
    book.want(second, [host]);
    await later(recheckMs);
    expect([book.served(first), book.served(second)]).toEqual([[host], []]);
    expect(book.status(second)[0]!.reason).toContain(`deployment ${first} has proved ${host} before`);
    records[`_mu.${host}`] = [second];
    await later(recheckMs);
    expect([book.served(first), book.served(second)]).toEqual([[], [host]]);
  });

  test('is free when its deployment wants it no more, or is over', async () => {
    records[`_mu.${host}`] = [first, second];
    book.want(first, [host]);
    book.want(second, [host]);
    await book.check();
    expect([book.served(first), book.served(second)]).toEqual([[host], []]);
    book.want(first, []);
    await book.check();
    expect([book.served(first), book.served(second)]).toEqual([[], [host]]);
    book.forget(second);
    expect([book.served(second), store.load()]).toEqual([[], []]);
  });

  test('stays while the name system cannot be asked, but not for ever', async () => {
    records[`_mu.${host}`] = [first];
    book.want(first, [host]);
    await book.check();
    broken = true;
    await later(graceMs);
    expect(book.served(first)).toEqual([host]);
    await later(10 * 60_000);
    expect(book.served(first)).toEqual([]);
  });

  test('is served at once after a restart, and not where nobody wants it any more', async () => {
    records[`_mu.${host}`] = [first];
    book.want(first, [host]);
    await book.check();
    book = open();
    expect(book.served(first)).toEqual([]);
    book.want(first, [host]);
    expect(book.served(first)).toEqual([host]);
    book = open();
    await later(recheckMs);
    expect(store.load()).toEqual([]);
  });

  test.each([
    ['an address', '10.0.0.1'],
    ['one word', 'localhost'],
    ['another pattern', '*.tenant.example'],
    ['a port', 'tenant.example:80'],
    ['an underscore', '_mu.tenant.example'],
    ['too long', `${'a'.repeat(64)}.example`],
    ['the provider’s domain', 'mu.example'],
    ['a name below it', 'abc.MU.example'],
  ])('is refused: %s', async (_, name) => {
    book.want(first, [name]);
    await book.check();
    expect([asked, book.status(first)]).toEqual([[], [expect.objectContaining({ state: 'refused' })]]);
  });

  test('a deployment has so many', () => {
    book.want(
      first,
      [...Array(maxHosts + 1).keys()].map((index) => `h${index}.example`),
    );
    const states = book.status(first).map(({ state }) => state);
    expect(states.filter((state) => state === 'waiting')).toHaveLength(maxHosts);
    expect(states.filter((state) => state === 'refused')).toHaveLength(1);
  });
});

describe('proofs in a file', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mu-hosts-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('are there after a restart, for their owner only', () => {
    const path = join(folder, 'hosts.json');
    const proof = { host, id: first, provedAt: 1, seenAt: 2 };
    new FileHostStore(path).put(proof);
    expect(new FileHostStore(path).load()).toEqual([proof]);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    new FileHostStore(path).delete(host);
    expect(JSON.parse(readFileSync(path, 'utf8'))).toEqual([]);
  });
});

describe('the resolver', () => {
  let server: Socket;
  const answers = new Map<string, { rcode: number; texts: string[][] }>();
  beforeEach(async () => {
    server = createSocket('udp4', (message, from) => {
      const query = dns.decode(message);
      const name = query.questions![0]!.name;
      const { rcode, texts } = answers.get(name) ?? { rcode: 3, texts: [] };
      const records = texts.map((data) => ({ type: 'TXT' as const, name, data, ttl: 1 }));
      const flags = dns.RECURSION_DESIRED | dns.RECURSION_AVAILABLE | rcode;
      server.send(
        dns.encode({ type: 'response', id: query.id ?? 0, flags, questions: query.questions ?? [], answers: records }),
        from.port,
      );
    });
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterEach(() => void server.close());

  test('joins the pieces of a text; no such name is no text; a failing server is an error', async () => {
    const resolver = dnsResolver([`127.0.0.1:${server.address().port}`]);
    answers.set('_mu.a.example', { rcode: 0, texts: [['mu1first', '/7'], ['other']] });
    answers.set('_mu.b.example', { rcode: 0, texts: [] });
    answers.set('_mu.c.example', { rcode: 2, texts: [] });
    expect(await resolver.txt('_mu.a.example')).toEqual(['mu1first/7', 'other']);
    expect(await resolver.txt('_mu.b.example')).toEqual([]);
    expect(await resolver.txt('_mu.none.example')).toEqual([]);
    await expect(resolver.txt('_mu.c.example')).rejects.toThrow(/ESERVFAIL/);
  });
});
