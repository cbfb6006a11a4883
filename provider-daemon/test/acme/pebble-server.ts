/** A running Pebble, and the name server that it asks. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import dns from 'dns-packet';
import { authority } from '../gateway/certificates-fixture.ts';

export interface PebbleServer {
  readonly directoryUrl: string;
  /** PEM by which the server itself is known. */
  readonly ca: string;
  /** PEM of the root that vouches for what it issues. */
  root(): Promise<string>;
  close(): Promise<void>;
}

export interface PebbleOptions {
  readonly program: string;
  readonly folder: string;
  /** Where it asks for proofs by HTTP. */
  readonly httpPort: number;
  /** Names that do not exist. */
  readonly absent: ReadonlySet<string>;
}

/** How long it may take to start. */
const startMs = 20_000;

export async function startPebble({ program, folder, httpPort, absent }: PebbleOptions): Promise<PebbleServer> {
  const names = await nameServer(absent);
  const own = await authority();
  const { cert, key } = await own.issue(['localhost']);
  const file = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const [port, managementPort] = [await freePort(), await freePort()];
  const config = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: `127.0.0.1:${managementPort}`,
    ...{ certificate: file('server.pem', cert), privateKey: file('server.key', key), httpPort, tlsPort: 1 },
    ...{ ocspResponderURL: '', externalAccountBindingRequired: false, domainBlocklist: ['blocked.example'] },
    ...{ retryAfter: { authz: 1, order: 1 }, keyAlgorithm: 'ecdsa' },
    profiles: { default: { description: 'ninety days', validityPeriod: 90 * 86_400 } },
  };
  const args = ['-config', file('pebble.json', JSON.stringify({ pebble: config })), '-strict'];
  const child = spawn(program, [...args, '-dnsserver', `127.0.0.1:${(names.address() as AddressInfo).port}`], {
    env: { ...process.env, PEBBLE_VA_NOSLEEP: '1' },
    stdio: 'ignore',
  });
  const base = `https://localhost:${managementPort}`;
  const root = () => textOf(`${base}/roots/0`, own.cert);
  await started(child, root);
  return {
    directoryUrl: `https://localhost:${port}/dir`,
    ca: own.cert,
    root,
    async close() {
      child.kill();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      names.close();
    },
  };
}

async function started(child: ChildProcess, ask: () => Promise<string>): Promise<void> {
  const until = performance.now() + startMs;
  for (;;) {
    try {
      await ask();
      return;
    } catch (error) {
      if (child.exitCode !== null) throw new Error(`pebble ended with ${child.exitCode}`);
      if (performance.now() > until) throw error;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function textOf(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get(url, { ca, family: 4 }, async (answer) => {
      let text = '';
      for await (const chunk of answer) text += chunk;
      resolve(text);
    });
    request.once('error', reject);
  });
}

/** Every name is this machine, but those that do not exist. Pebble asks by TCP: each message has its length before it. */
async function nameServer(absent: ReadonlySet<string>): Promise<Server> {
  const server = createServer((socket) => {
    let rest = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE()) {
        const end = 2 + rest.readUInt16BE();
        socket.write(answerTo(rest.subarray(0, end), absent));
        rest = rest.subarray(end);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function answerTo(message: Buffer, absent: ReadonlySet<string>): Buffer {
  const query = dns.streamDecode(message);
  const [question] = query.questions ?? [];
  const name = question?.name ?? '';
  const isAbsent = absent.has(name);
  const answers = !isAbsent && question?.type === 'A' ? [{ type: 'A' as const, name, data: '127.0.0.1', ttl: 1 }] : [];
  const flags = dns.RECURSION_DESIRED | dns.RECURSION_AVAILABLE | (isAbsent ? 3 : 0);
  return dns.streamEncode({ type: 'response', id: query.id ?? 0, flags, questions: query.questions ?? [], answers });
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
