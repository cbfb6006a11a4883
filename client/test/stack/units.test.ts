import fc from 'fast-check';
import { parseCpu, parseDurationMs, parsePrice, parseSize, parseWhole } from '../../src/stack/units.ts';

describe('sizes', () => {
  it.each([
    ['128MiB', 134217728n],
    ['128Mi', 134217728n],
    ['1.5GiB', 1610612736n],
    ['500MB', 500000000n],
    ['1 KiB', 1024n],
    [1024, 1024n],
    ['7B', 7n],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes));
  it.each(['', '1.5', '-1', '1e3', '128mib', '0.1KiB', '1PiB', 'MiB', '99999999TiB', null, true, [1], 1.5, -1])(
    'refuses %p',
    (text) => expect(parseSize(text)).toBeUndefined(),
  );
});

describe('processors', () => {
  it.each([
    [0.1, 100],
    ['0.1', 100],
    ['100m', 100],
    [2, 2000],
    ['0.001', 1],
    ['1.25', 1250],
  ])('%s', (text, cpu) => expect(parseCpu(text)).toBe(cpu));
  it.each([0, '0m', '0.0001', -1, '1.5m', 'm', '', true, 1001, 1e-7])('refuses %p', (text) =>
    expect(parseCpu(text)).toBeUndefined(),
  );
});

describe('times', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
    [30, 30_000],
  ])('%s', (text, ms) => expect(parseDurationMs(text)).toBe(ms));
  it.each([0, '0s', '1.5s', '2d', '25h', -1, ''])('refuses %p', (text) =>
    expect(parseDurationMs(text)).toBeUndefined(),
  );
});

describe('prices and whole numbers', () => {
  it('is exact', () => {
    expect(parsePrice('0.000000000000000001')?.atomics).toBe(1n);
    expect(parsePrice(0.25)?.toPlain()).toBe('0.25');
  });
  it.each([0, '0', '0.0', '-1', '1e3', 1e-7, '.5', '1umu', '0.0000000000000000001', ''])('refuses %p', (text) =>
    expect(parsePrice(text)).toBeUndefined(),
  );
  it('reads every integer between its bounds and no other', () => {
    fc.assert(
      fc.property(fc.bigInt(-5n, 300n), (value) => {
        expect(parseWhole(value.toString(), 1n, 255n)).toBe(value >= 1n && value <= 255n ? value : undefined);
      }),
    );
    expect(parseWhole('01', 0n, 9n)).toBeUndefined();
  });
});
