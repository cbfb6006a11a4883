import { BoundedCache } from '../src/bounded-cache.ts';

describe('a bounded cache', () => {
  it('drops the oldest at its bound', () => {
    const cache = new BoundedCache<number>(2);
    for (const [at, key] of ['a', 'b', 'b', 'c'].entries()) cache.set(key, at);
    expect(['a', 'b', 'c'].map((key) => cache.get(key))).toEqual([undefined, 2, 3]);
    expect(cache.size).toBe(2);
  });

  it('drops as many as a heavy entry needs', () => {
    const cache = new BoundedCache<string>(100, { of: (value) => value.length, most: 10 });
    for (const key of ['a', 'b', 'c']) cache.set(key, 'xxx');
    cache.set('d', 'xxxxxxx');
    expect(['a', 'b', 'c', 'd'].map((key) => cache.get(key))).toEqual([undefined, undefined, 'xxx', 'xxxxxxx']);
  });

  it('weighs an entry that is replaced once', () => {
    const cache = new BoundedCache<string>(100, { of: (value) => value.length, most: 10 });
    for (let round = 0; round < 20; round += 1) cache.set('a', 'xxxx');
    cache.set('b', 'xxxxxx');
    expect(cache.get('a')).toBe('xxxx');
    expect(cache.get('b')).toBe('xxxxxx');
  });

  it('does not keep what is heavier than all it may hold', () => {
    const cache = new BoundedCache<string>(100, { of: (value) => value.length, most: 10 });
    cache.set('a', 'xx');
    cache.set('b', 'x'.repeat(11));
    expect(cache.get('b')).toBeUndefined();
    expect(cache.get('a')).toBe('xx');
  });

  it('holds no more than its number of entries where both are bounded', () => {
    const cache = new BoundedCache<string>(2, { of: () => 1, most: 10 });
    for (const key of ['a', 'b', 'c']) cache.set(key, key);
    expect(cache.size).toBe(2);
  });

  it('forgets what is deleted, and keeps to its bound when keys come, go and come again', () => {
    const cache = new BoundedCache<number>(3);
    for (let round = 0; round < 1000; round += 1) {
      cache.set(`a${round}`, round);
      cache.delete(`a${round}`);
      cache.set('b', round);
      cache.set(`c${round}`, round);
      cache.delete('b');
      expect(cache.size).toBeLessThanOrEqual(3);
      expect([cache.get(`a${round}`), cache.get('b'), cache.get(`c${round}`)]).toEqual([undefined, undefined, round]);
    }
    cache.delete('never there');
    expect(cache.size).toBe(2);
  });
});
