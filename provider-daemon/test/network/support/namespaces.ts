/** Other people's machines: network namespaces, each at the end of a cable (veth) whose other end is this host's. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { runTool } from '../../../src/network/run-tool.ts';

const greeterFile = fileURLToPath(new URL('./greeter.ts', import.meta.url));
/** Two runs on one machine have other names and addresses. */
export const runNumber = process.pid % 14;
const suffix = `${process.pid % 100_000}`;

export interface FarMachine {
  readonly namespace: string;
  /** Echo requests that reached it. */
  pings(): Promise<number>;
}

export interface Cable {
  readonly name: string;
  /** `[this host's address, its address]`, each with a prefix. */
  readonly addresses: ReadonlyArray<readonly [string, string]>;
  /** The next hop of everything else. */
  readonly gateway: string;
}

/** Everything that was made, undone in reverse. */
export class Surroundings {
  readonly #undo: Array<() => Promise<unknown>> = [];

  later(undo: () => Promise<unknown>): void {
    this.#undo.push(undo);
  }

  async remove(): Promise<void> {
    const failures: unknown[] = [];
    for (const undo of this.#undo.splice(0).reverse()) await undo().catch((cause) => failures.push(cause));
    if (failures.length > 0) throw new AggregateError(failures, 'something that the test made could not be removed');
  }

  async farMachine({ name, addresses, gateway }: Cable): Promise<FarMachine> {
    const namespace = `mut-${name}-${suffix}`;
    const [here, there] = [`mth${name}${suffix}`, `mtt${name}${suffix}`];
    const ip = (...args: string[]): Promise<string> => runTool('ip', args);
    await ip('netns', 'add', namespace);
    this.later(() => ip('netns', 'delete', namespace));
    await ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', namespace);
    await ip('link', 'set', here, 'up');
    const inside = (...args: string[]): Promise<string> => ip('-n', namespace, ...args);
    await inside('link', 'set', 'lo', 'up');
    await inside('link', 'set', there, 'up');
    for (const [ours, theirs] of addresses) {
      // Without "nodad" an IPv6 address cannot be used at once.
      const options = ours.includes(':') ? ['nodad'] : [];
      await ip('address', 'add', ours, 'dev', here, ...options);
      await inside('address', 'add', theirs, 'dev', there, ...options);
    }
    await inside('route', 'add', 'default', 'via', gateway);
    const pings = async (): Promise<number> => {
      const text = await ip('netns', 'exec', namespace, 'cat', '/proc/net/snmp');
      const [names, values] = text.split('\n').filter((line) => line.startsWith('Icmp:'));
      return Number(values!.split(' ')[names!.split(' ').indexOf('InEchos')]);
    };
    return { namespace, pings };
  }

  /** Starts the greeter there, or on this host. @returns its TCP ports */
  async greeter(tcp: readonly number[], udp: number | undefined, far?: FarMachine): Promise<readonly number[]> {
    const program = [process.execPath, greeterFile, tcp.join(','), udp === undefined ? '-' : String(udp)];
    const [command, ...args] = far === undefined ? program : ['ip', 'netns', 'exec', far.namespace, ...program];
    const child = spawn(command!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.later(() => end(child));
    const [line] = (await Promise.race([once(child.stdout, 'data'), once(child, 'exit').then(fail)])) as [Buffer];
    return JSON.parse(line.toString('utf8')) as number[];
  }
}

function fail(): never {
  throw new Error('the greeter ended before it listened');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
