import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import { type StreamPort, TunnelStream } from '../../src/overlay/tunnel-stream.ts';

interface Seen {
  consumed: number;
  readonly gone: string[];
}

function made(): { stream: TunnelStream; seen: Seen } {
  const seen: Seen = { consumed: 0, gone: [] };
  const port: StreamPort = {
    schedule: () => {},
    finish: () => {},
    consumed: (_, bytes) => {
      seen.consumed += bytes;
    },
    gone: (id, code, text) => seen.gone.push(`${id} ${code} ${text}`),
  };
  return { stream: new TunnelStream(7, port), seen };
}

describe('a stream that nobody reads', () => {
  it('keeps what comes byte by byte in few pieces, and grants nothing for it', async () => {
    const { stream, seen } = made();
    const sent = Buffer.alloc(60_000);
    for (let at = 0; at < sent.length; at += 1) sent[at] = at % 251;
    for (let at = 0; at < sent.length; at += 1) stream.deliver(sent.subarray(at, at + 1));
    expect(stream.readableLength).toBeLessThan(16);
    expect(seen.consumed).toBe(stream.readableLength);
    stream.deliverEnd();
    let pieces = 0;
    stream.on('data', () => {
      pieces += 1;
    });
    expect((await buffer(stream)).equals(sent)).toBe(true);
    expect(pieces).toBeLessThan(20);
    expect(seen.consumed).toBe(sent.length);
  });

  it('keeps large and small pieces in their order', async () => {
    const { stream } = made();
    const parts = [1, 5000, 1, 1, 16_384, 4095, 4096, 9000, 3].map((size, at) => Buffer.alloc(size, 65 + at));
    for (const part of parts) stream.deliver(part);
    stream.deliverEnd();
    expect((await buffer(stream)).equals(Buffer.concat(parts))).toBe(true);
  });
});

describe('the end of a stream', () => {
  it('is told with its reason, once', () => {
    const { stream, seen } = made();
    stream.refuse(1, 'no instance takes the connection');
    stream.destroy();
    expect(seen.gone).toEqual(['7 1 no instance takes the connection']);
  });

  it('fails a write that has not gone out', async () => {
    const { stream } = made();
    const outcome = new Promise<Error | null | undefined>((resolve) => stream.write('never sent', resolve));
    stream.destroy();
    expect((await outcome)?.message).toBe('the stream was closed');
  });
});
