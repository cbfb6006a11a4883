/** The load, in a process of its own: one stream of so many bytes, and messages that go there and back. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { percentile } from '../figures.ts';

export type Question =
  | { readonly kind: 'stream'; readonly port: number; readonly bytes: number }
  | { readonly kind: 'messages'; readonly port: number; readonly count: number };

const chunk = Buffer.alloc(262_144, 'mu');

async function dial(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true, allowHalfOpen: true });
  await once(socket, 'connect');
  return socket;
}

/** @returns MiB a second, from the first byte until the other end has said that all have come */
async function stream(port: number, bytes: number): Promise<number> {
  const socket = await dial(port);
  const start = performance.now();
  const answer = text(socket);
  for (let sent = 0; sent < bytes; sent += chunk.length) {
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  socket.end();
  const counted = Number(await answer);
  if (counted !== bytes) throw new Error(`${counted} of ${bytes} bytes have come`);
  return bytes / 1_048_576 / ((performance.now() - start) / 1000);
}

/** @returns the median of microseconds of a message of 64 bytes there and back */
async function messages(port: number, count: number): Promise<number> {
  const socket = await dial(port);
  const message = Buffer.alloc(64, 'm');
  const times: number[] = [];
  for (let at = 0; at < count; at += 1) {
    const start = performance.now();
    socket.write(message);
    let got = 0;
    while (got < message.length) got += ((await once(socket, 'data')) as [Buffer])[0].length;
    times.push((performance.now() - start) * 1000);
  }
  socket.destroy();
  return percentile(times, 0.5);
}

process.on('message', (question: Question) => {
  const done =
    question.kind === 'stream' ? stream(question.port, question.bytes) : messages(question.port, question.count);
  done.then(
    (value) => process.send?.({ value }),
    (error: Error) => process.send?.({ error: error.message }),
  );
});
process.once('disconnect', () => process.exit(0));
