/** What tunnels lead to, in a process of its own: one port counts what comes and says so at its end, another one echoes. */
import { createServer, type Socket } from 'node:net';
import { listening } from './ports.ts';

async function serve(each: (socket: Socket) => void): Promise<number> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => socket.destroy());
    each(socket);
  });
  return listening(server);
}

const sink = await serve((socket) => {
  let count = 0;
  socket.on('data', (chunk: Buffer) => {
    count += chunk.length;
  });
  socket.on('end', () => socket.end(String(count)));
});
const echo = await serve((socket) => socket.pipe(socket));
process.send?.({ sink, echo });
process.once('disconnect', () => process.exit(0));
