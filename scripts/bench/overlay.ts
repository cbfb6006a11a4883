/**
 * `npm run bench:overlay`: one stream and small messages through a tunnel, through a pair of stunnel processes and without
 * either, by turns in the same run. Every end and the load are processes of their own.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { availableParallelism, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { certificatePem, issueNode, issueRoot } from '../../provider-daemon/src/identity/certificates.ts';
import { generateKey, toPem } from '../../provider-daemon/src/identity/keys.ts';
import { Figures, percentile } from './figures.ts';
import type { Question } from './overlay/client.ts';
import { findStunnel, type StunnelCredentials, startStunnel } from './overlay/stunnel.ts';
import type { EndSettings } from './overlay/tunnel-end.ts';

const usage = `npm run bench:overlay [-- OPTIONS]

  --rounds N     rounds of all measurements (5); the median counts
  --mib N        MiB of one stream (1024)
  --messages N   small messages there and back of one measurement (4000)
  --json         one JSON object a line, the last one sums up
`;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    mib: { type: 'string', default: '1024' },
    messages: { type: 'string', default: '4000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

const ways = ['tunnel', 'stunnel', 'direct'] as const;
type Way = (typeof ways)[number];
/** Ports of 127.0.0.1 that lead to the server's two. */
type Ports = Record<'sink' | 'echo', number>;

const children: ChildProcess[] = [];

function start(file: string, ...args: string[]): ChildProcess {
  const path = fileURLToPath(new URL(`./overlay/${file}`, import.meta.url));
  const child = fork(path, args, { execArgv: ['--disable-warning=ExperimentalWarning'] });
  children.push(child);
  return child;
}

function told<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T));
    child.once('exit', (code) => reject(new Error(`a process of the bench ended with ${code}`)));
  });
}

/** Two nodes under one root: what TLS costs is the same whoever signed. */
async function credentials(): Promise<StunnelCredentials> {
  const around = { now: () => Date.now(), random: (length: number) => new Uint8Array(randomBytes(length)) };
  const [rootKey, nodeKey] = [generateKey('p256'), generateKey('ed25519')];
  const rootCertificate = await issueRoot(rootKey, 'bench', around);
  const name = { chainId: 'bench', provider: 'bench', nodeId: 'node' };
  const node = await issueNode({ rootKey, rootCertificate, nodeKey, name }, around);
  return { key: toPem(nodeKey), cert: certificatePem(node), ca: certificatePem(rootCertificate) };
}

async function tunnelTo(port: number, given: StunnelCredentials): Promise<number> {
  const end = (settings: EndSettings): Promise<number> => told(start('tunnel-end.ts', JSON.stringify(settings)));
  const callee = await end({ role: 'callee', port, ...given });
  return end({ role: 'caller', port: callee, ...given });
}

async function measure(client: ChildProcess, question: Question): Promise<number> {
  const answer = told<{ value: number } | { error: string }>(client);
  client.send(question);
  const got = await answer;
  client.removeAllListeners('exit');
  if ('error' in got) throw new Error(got.error);
  return got.value;
}

interface Results {
  readonly rates: Record<Way, number[]>;
  readonly times: Record<Way, number[]>;
}

async function run(rounds: number, bytes: number, count: number): Promise<Results> {
  const given = await credentials();
  const direct = await told<Ports>(start('server.ts'));
  const tunnel = { sink: await tunnelTo(direct.sink, given), echo: await tunnelTo(direct.echo, given) };
  const program = findStunnel();
  if (program === undefined) console.error('stunnel is missing (apt-get install stunnel4): its figures are left out');
  const pairs =
    program === undefined ? [] : [direct.sink, direct.echo].map((port) => startStunnel(program, port, given));
  const [sink, echo] = await Promise.all(pairs);
  const client = start('client.ts');
  const results: Results = { rates: emptyLists(), times: emptyLists() };
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const way of ways) {
        const ports = way === 'tunnel' ? tunnel : way === 'direct' ? direct : { sink: sink?.port, echo: echo?.port };
        if (ports.sink === undefined || ports.echo === undefined) continue;
        results.rates[way].push(await measure(client, { kind: 'stream', port: ports.sink, bytes }));
        results.times[way].push(await measure(client, { kind: 'messages', port: ports.echo, count }));
      }
    }
  } finally {
    sink?.stop();
    echo?.stop();
  }
  return results;
}

const emptyLists = (): Record<Way, number[]> => ({ tunnel: [], stunnel: [], direct: [] });

/** @returns null for what was not measured */
const median = (list: readonly number[]): number | null =>
  list.length === 0 ? null : Number(percentile(list, 0.5).toPrecision(4));

async function main(): Promise<void> {
  const numbers = [values.rounds, values.mib, values.messages].map(Number) as [number, number, number];
  if (values.help || !numbers.every((one) => Number.isInteger(one) && one > 0)) {
    process.stdout.write(usage);
    process.exitCode = values.help ? 0 : 1;
    return;
  }
  const [rounds, mib, count] = numbers;
  const figures = new Figures(values.json);
  if (!values.json) console.log(`${availableParallelism()} cores, load before: ${loadavg()[0]?.toFixed(1)}`);
  const results = await run(rounds, mib * 1_048_576, count).finally(() => {
    for (const child of children) if (child.connected) child.disconnect();
  });
  for (const way of ways) {
    const [rate, time] = [median(results.rates[way]), median(results.times[way])];
    if (rate !== null) figures.add(`${way}: one stream`, rate, 'MiB/s', `${mib} MiB, median of ${rounds}`);
    if (time !== null) figures.add(`${way}: 64 bytes there and back`, time, 'µs', `median of ${rounds} × ${count}`);
  }
  const of = (lists: Record<Way, number[]>) => ways.map((way) => median(lists[way]));
  const [tunnel, stunnel, direct] = of(results.rates);
  const [tunnelTime, stunnelTime, directTime] = of(results.times);
  console.log(
    JSON.stringify({
      ...{ tunnel_mib_s: tunnel, stunnel_mib_s: stunnel, direct_mib_s: direct },
      ...{ rtt_us: tunnelTime, stunnel_rtt_us: stunnelTime, direct_rtt_us: directTime },
    }),
  );
}

await main();
