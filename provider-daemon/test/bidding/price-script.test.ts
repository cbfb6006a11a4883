import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { priced } from '../../src/bidding/decide.ts';
import { inventory } from '../../src/bidding/inventory.ts';
import { priceQuestion, readAnswer } from '../../src/bidding/price-question.ts';
import { maxOutputBytes, PriceScript } from '../../src/bidding/price-script.ts';
import { eventually } from './eventually.ts';
import { group, offer, order } from './fixture.ts';

describe('the question', () => {
  test('is one line of JSON with the order, what it asks, the rates, their price and the inventory', () => {
    const now = inventory(offer.capacity, { leases: [], bids: [] });
    const text = priceQuestion(priced(order(), offer), offer, now);
    expect(text).not.toContain('\n');
    expect(JSON.parse(text)).toEqual({
      order: expect.objectContaining({
        owner: 'mu1owner',
        dseq: '7',
        infrastructure: 0,
        round: 1,
        createdHeight: '5',
        region: 'local',
        services: ['mu-function'],
        attributes: [{ key: 'tier', value: 'gold' }],
        usageLimits: [{ metric: 'gateway-requests', maxPrice: '2', maxPricePer: '1000', maxQuantityPerBlock: '10' }],
      }),
      resources: [
        { compute: { cpu: 100, memory: '134217728', disk: '268435456' }, maxPrice: '10', collateral: '100', count: 2 },
      ],
      rates: expect.objectContaining({ cpu: '0.010000000000000000' }),
      price: ['4.940000000000000000'],
      inventory: expect.objectContaining({ free: { cpu: '1000', memory: '1073741824', disk: '2147483648' } }),
    });
  });
});

describe('the answer', () => {
  const two = priced(order({ resources: [group, group] }), offer);
  test('is a price for each group, at most the order’s', () => {
    expect(readAnswer(' {"prices": ["10", "0.000000000000000001"]}\n', two)).toMatchObject({
      prices: [{}, {}],
    });
  });

  test.each([
    ['', 'wrote no JSON: ""'],
    ['no', 'wrote no JSON: "no"'],
    ['[]', '{"prices": […]} or {"refuse": "why"}'],
    ['7', 'no JSON object'],
    ['null', 'no JSON object'],
    ['{}', '{"prices": […]} or {"refuse": "why"}'],
    ['{"prices": ["1", "1"], "refuse": "x"}', 'and nothing else'],
    ['{"prices": ["1", "1"], "more": 1}', 'and nothing else'],
    ['{"prices": ["1"]}', 'must give 2 prices'],
    ['{"prices": "11"}', 'must give 2 prices'],
    ['{"prices": ["1", 1]}', 'no decimal text above 0'],
    ['{"prices": ["1", "0"]}', 'no decimal text above 0'],
    ['{"prices": ["1", "-1"]}', 'no decimal text above 0'],
    ['{"prices": ["1", "1e3"]}', 'no decimal text above 0'],
    ['{"prices": ["1", "0.0000000000000000001"]}', 'no decimal text above 0'],
    ['{"prices": ["1", "10.01"]}', 'by the price script: the order pays 10 umu per block, the price is 10.01'],
    ['{"refuse": 1}', 'refused without a text'],
    ['{"refuse": "not on a Sunday"}', 'the price script refused: not on a Sunday'],
  ])('%j is a refusal: %s', (text, reason) => {
    expect(readAnswer(text, two)).toEqual({ refusal: expect.stringContaining(reason) });
  });

  test('a long reason is cut', () => {
    const { refusal } = readAnswer(JSON.stringify({ refuse: 'x'.repeat(9_999) }), two) as { refusal: string };
    expect(refusal.length).toBeLessThan(300);
  });
});

describe('the script', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mu-price-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function script(text: string, options: { timeoutMs?: number; jobs?: number } = {}): PriceScript {
    const program = join(folder, 'price.sh');
    writeFileSync(program, `#!/bin/sh\n${text}\n`);
    chmodSync(program, 0o755);
    return new PriceScript({ program, timeoutMs: 5_000, jobs: 2, ...options });
  }
  const isAlive = (pid: number): boolean => {
    try {
      // A zombie that nobody has reaped yet is dead.
      return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  };
  const pidIn = (name: string): Promise<number> =>
    eventually(() => {
      const file = join(folder, name);
      return existsSync(file) && readFileSync(file, 'utf8').endsWith('\n')
        ? Number(readFileSync(file, 'utf8'))
        : undefined;
    });

  test('reads its question on stdin and answers on stdout, in its own folder', async () => {
    const own = script('read question; printf %s "$question:$(basename "$PWD")"');
    expect(await own.ask('{"a":1}')).toEqual({ text: `{"a":1}:${folder.slice(folder.lastIndexOf('/') + 1)}` });
  });

  test('sees nothing of the daemon’s environment but the path', async () => {
    process.env['MU_TEST_SECRET'] = 'x';
    const output = await script('cat >/dev/null; env').ask('');
    delete process.env['MU_TEST_SECRET'];
    expect(output).toEqual({ text: expect.stringContaining('PATH=') });
    expect(JSON.stringify(output)).not.toContain('MU_TEST_SECRET');
  });

  test('that does not read its question may answer all the same', async () => {
    expect(await script('echo fine').ask('x'.repeat(1_000_000))).toEqual({ text: 'fine\n' });
  });

  test('with another exit code is no answer, with what it wrote on stderr', async () => {
    const output = await script('echo "{\\"prices\\":[]}"; echo "no network" >&2; exit 3').ask('');
    expect(output).toEqual({ failure: 'the price script ended with 3: no network' });
  });

  test('that cannot be run is no answer', async () => {
    const none = new PriceScript({ program: join(folder, 'none'), timeoutMs: 5_000, jobs: 1 });
    expect(await none.ask('')).toEqual({ failure: expect.stringContaining('cannot be run') });
    expect(await none.ask('')).toEqual({ failure: expect.stringContaining('cannot be run') });
  });

  test('at its time limit is killed with its children', async () => {
    const slow = script('sleep 60 & echo $! > child; echo $$ > own; wait', { timeoutMs: 300 });
    expect(await slow.ask('')).toEqual({ failure: 'the price script gave no answer in 300 ms' });
    const [own, child] = [await pidIn('own'), await pidIn('child')];
    await eventually(() => (isAlive(own) || isAlive(child) ? undefined : true));
  });

  test('that ends and leaves a child behind has answered, and the child is killed', async () => {
    const started = performance.now();
    const output = await script('sleep 60 & echo $! > child; echo fine').ask('');
    expect(output).toEqual({ text: 'fine\n' });
    expect(performance.now() - started).toBeLessThan(4_000);
    const child = await pidIn('child');
    await eventually(() => (isAlive(child) ? undefined : true));
  });

  test('that writes without end is killed', async () => {
    const output = await script('echo $$ > own; yes').ask('');
    expect(output).toEqual({ failure: `the price script wrote more than ${maxOutputBytes} bytes` });
    const own = await pidIn('own');
    await eventually(() => (isAlive(own) ? undefined : true));
  });

  test('runs so many times at once and no more, in turn', async () => {
    // Each says how many run beside it, after a while in which the others could have begun.
    const own = script('touch "run.$$"; sleep 0.2; ls run.* | wc -l; rm "run.$$"', { jobs: 2 });
    const answers = await Promise.all([1, 2, 3, 4, 5].map(() => own.ask('')));
    const counts = answers.map((one) => ('text' in one ? Number(one.text) : Number.NaN));
    expect(counts).toHaveLength(5);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  });
});
