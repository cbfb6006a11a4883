import { DecodeCache } from '../src/decode-cache.ts';

describe('decoded values', () => {
  it('are decoded when the bytes differ, and then alone', () => {
    const cache = new DecodeCache<string>(10);
    let decoded = 0;
    const read = (key: string, text: string): string => {
      decoded += 1;
      return cache.read(key, Buffer.from(text), () => {
        decoded += 10;
        return text;
      });
    };
    expect([read('a', 'x'), read('a', 'x'), read('a', 'y'), read('a', 'x')]).toEqual(['x', 'x', 'y', 'x']);
    expect(decoded).toBe(4 + 30);
  });

  it('do not trust a buffer that is used again', () => {
    const cache = new DecodeCache<string>(10);
    const buffer = Buffer.from('one');
    expect(cache.read('a', buffer, () => buffer.toString())).toBe('one');
    buffer.write('two');
    expect(cache.read('a', buffer, () => buffer.toString())).toBe('two');
  });

  it('of several keys stay apart', () => {
    const cache = new DecodeCache<string>(10);
    cache.remember('a', Buffer.from('x'), 'of a');
    expect(cache.read('b', Buffer.from('x'), () => 'of b')).toBe('of b');
    expect(cache.read('a', Buffer.from('x'), () => 'never')).toBe('of a');
  });
});
