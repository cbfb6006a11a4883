/**
 * A program that answers: `greeter.ts <tcp port>[,…] <udp port>|-`. Each TCP connection gets a greeting and its end; each
 * DNS question one public address. Runs in a network namespace that stands for somebody else's machine. Port 0 takes a
 * free one; the ports are printed when all of them listen.
 */
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { decode, encode } from 'dns-packet';

const [tcpPorts = '0', udpPort = '-'] = process.argv.slice(2);
const listening: number[] = [];

for (const port of tcpPorts.split(',').map(Number)) {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end('mu-greeting\n');
  });
  await new Promise<void>((resolve) => server.listen({ host: '::', port }, () => resolve()));
  const bound = server.address();
  if (typeof bound === 'object' && bound !== null) listening.push(bound.port);
}

if (udpPort !== '-') {
  const socket = createSocket('udp4');
  socket.on('message', (bytes, from) => {
    const { id = 0, questions = [] } = decode(bytes);
    const [question] = questions;
    if (question === undefined) return;
    const answers =
      question.type === 'A' ? [{ type: 'A' as const, name: question.name, ttl: 1, data: '203.0.113.99' }] : [];
    socket.send(encode({ type: 'response', id, questions, answers }), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(Number(udpPort), () => resolve()));
}
console.log(JSON.stringify(listening));
