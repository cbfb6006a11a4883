/** Opens many connections and keeps them: a process of its own, since both ends need a descriptor. Prints how many it has. */
import { connect } from 'node:net';

const [port = '0', count = '0'] = process.argv.slice(2);
/** Opened at a time: less than what waits to be accepted. */
const atOnce = 256;
let next = 0;
let open = 0;
let closed = 0;

function one(): void {
  if (next >= Number(count)) return;
  // Addresses of the loopback network stand for clients.
  const localAddress = `127.0.1.${1 + (next % 20)}`;
  next += 1;
  const socket = connect({ port: Number(port), host: '127.0.0.1', localAddress });
  socket.once('connect', () => {
    open += 1;
    one();
    if (open === Number(count)) process.stdout.write(`open ${open}\n`);
  });
  socket.once('error', (error) => process.stderr.write(`${error.message}\n`));
  socket.once('close', () => {
    closed += 1;
    if (closed % 1000 === 0) process.stdout.write(`closed ${closed}\n`);
  });
}

for (let started = 0; started < atOnce; started += 1) one();
process.stdin.resume().once('end', () => process.exit());
