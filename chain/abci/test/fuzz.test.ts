/**
 * Real messages, broken by a seeded mutator, sent to a server in arbitrary pieces. What must hold: the server neither
 * crashes nor hangs nor keeps memory, whatever it answers is well formed, and an untouched connection is served
 * throughout. ABCI_FUZZ_INPUTS and ABCI_FUZZ_SEED make it longer or another run.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FrameError, FrameReader, openEnvelope } from '../src/frame.ts';
import { methodOfRequest } from '../src/methods.ts';
import { AbciServer } from '../src/server.ts';
import { testApp } from './app.ts';
import { Mutator } from './mutator.ts';
import { frameOf, Peer } from './peer.ts';

const inputs = Number(process.env['ABCI_FUZZ_INPUTS'] ?? 50_000);
const seed = Number(process.env['ABCI_FUZZ_SEED'] ?? 1);
const perMs = 1;
const folder = mkdtempSync(join(tmpdir(), 'abci-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** How an input ended: what the decoder made of it. */
function decode(bytes: Uint8Array, cut: number): string {
  const reader = new FrameReader(65_536);
  reader.push(bytes.subarray(0, cut));
  const early = take(reader);
  reader.push(bytes.subarray(cut));
  return early === 'more' ? take(reader) : early;
}

function take(reader: FrameReader): string {
  try {
    for (let frame = reader.next(); frame !== undefined; frame = reader.next()) {
      const { field, body } = openEnvelope(frame);
      methodOfRequest(field)?.prepare(body);
    }
    return 'more';
  } catch (error) {
    // Anything else is a bug: a TypeError, an exhausted stack.
    if (error instanceof FrameError) return 'refused';
    throw error;
  }
}

it(
  `decodes or refuses ${inputs} damaged inputs, the same way however they are cut`,
  () => {
    const mutator = new Mutator(seed);
    const ends = new Map<string, number>();
    for (let n = 0; n < inputs; n++) {
      const bytes = mutator.next();
      const end = decode(bytes, mutator.below(bytes.length + 1));
      if (decode(bytes, bytes.length) !== end) throw new Error(`input ${n} of seed ${seed} depends on where it is cut`);
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }
    // The mutator must not be so rough that nothing is decoded, nor so gentle that nothing is refused.
    expect(ends.get('refused')).toBeGreaterThan(inputs / 20);
    expect(ends.get('more')).toBeGreaterThan(inputs / 20);
  },
  Math.max(60_000, inputs * perMs),
);

it(
  'leaves a server in service and its memory as it was',
  async () => {
    const server = new AbciServer(testApp(), {
      listen: `unix://${join(folder, 'fuzz.sock')}`,
      maxMessageBytes: 65_536,
    });
    const address = await server.listen();
    const untouched = await Peer.open(address);
    const mutator = new Mutator(seed + 1);
    const connections = Math.ceil(inputs / 100);
    let heap = 0;
    for (let n = 0; n < connections; n++) {
      const peer = await Peer.open(address);
      for (let sent = 0; sent < 20; sent++) peer.socket.write(mutator.next());
      peer.socket.end();
      await peer.closed;
      if (n % 50 === 0) {
        untouched.socket.write(frameOf({ echo: { message: `round ${n}` } }));
        const replies = await untouched.take(untouched.replies.length + 1);
        expect(replies.at(-1)?.echo?.message).toBe(`round ${n}`);
      }
      if (n === Math.floor(connections / 5)) heap = process.memoryUsage().heapUsed;
    }
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(128 * 1024 * 1024);
    untouched.socket.destroy();
    await untouched.closed;
    await server.close();
    expect(server.connectionCount).toBe(0);
  },
  Math.max(60_000, inputs * perMs),
);
