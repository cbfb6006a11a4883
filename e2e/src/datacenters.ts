/**
 * Datacenters on one machine that are as far from one another as real ones: each in a network namespace of its own, with a
 * container engine of its own. All that they share is a wire to a common switch, on which chain and users are too. Needs root.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, Program, runCommand } from './process.ts';

/** Where a provider's programs run. */
export interface Place {
  /** Its address on the switch. */
  readonly address: string;
  /** Socket of its container engine. */
  readonly engine: string;
  /** The command that runs another one there. */
  readonly enter: readonly string[];
}

interface Datacenter extends Place {
  readonly namespace: string;
  readonly wire: string;
  dockerd: Program | undefined;
}

const run = (command: string, ...args: readonly string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

export class Datacenters {
  readonly #folder: string;
  readonly #tag: string;
  readonly #network: string;
  readonly #all: Datacenter[] = [];

  /**
   * Makes the switch.
   * @param folder for the engines' files; what is mounted in it goes at the end
   * @param tag letters and digits, at most 6: names of interfaces are short
   */
  constructor(folder: string, tag: string) {
    this.#folder = folder;
    this.#tag = tag;
    // Of the addresses that no other test uses; two runs at a time have two networks.
    this.#network = `10.99.${process.pid % 250}`;
    // In a namespace of its own: what this machine's firewall says of bridges is nothing to the datacenters.
    run('ip', 'netns', 'add', this.#switch);
    run('ip', '-n', this.#switch, 'link', 'add', 'switch', 'type', 'bridge');
    run('ip', '-n', this.#switch, 'link', 'set', 'switch', 'up');
    const own = `${this.#switch}w0`;
    run('ip', 'link', 'add', own, 'type', 'veth', 'peer', 'name', own, 'netns', this.#switch);
    this.#plug(own);
    run('ip', 'address', 'add', `${this.address}/24`, 'dev', own);
    run('ip', 'link', 'set', own, 'up');
  }

  /** Of the machine that all can reach: the chain listens here. */
  get address(): string {
    return `${this.#network}.1`;
  }

  get #switch(): string {
    return `mu${this.#tag}`;
  }

  /** Another one, with an engine that runs. */
  async add(): Promise<Place> {
    const number = this.#all.length + 1;
    const namespace = `${this.#switch}-${number}`;
    const wire = `${this.#switch}w${number}`;
    const address = `${this.#network}.${10 + number}`;
    run('ip', 'netns', 'add', namespace);
    const one: Datacenter = {
      ...{ namespace, wire, address, dockerd: undefined },
      engine: join(this.#folder, namespace, 'docker.sock'),
      // The network alone is another one: mounts of volumes must be seen by daemon and engine alike.
      enter: ['nsenter', `--net=/run/netns/${namespace}`, '--'],
    };
    this.#all.push(one);
    run('ip', 'link', 'add', wire, 'netns', this.#switch, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    this.#plug(wire);
    const within = ['-n', namespace] as const;
    run('ip', ...within, 'link', 'set', 'lo', 'up');
    run('ip', ...within, 'address', 'add', `${address}/24`, 'dev', 'eth0');
    run('ip', ...within, 'link', 'set', 'eth0', 'up');
    run('ip', ...within, 'route', 'add', 'default', 'via', this.address);
    await this.#startEngine(one);
    return one;
  }

  /** Pulls its plug, or puts it in again. */
  wire(place: Place, state: 'up' | 'down'): void {
    run('ip', '-n', this.#switch, 'link', 'set', this.#find(place).wire, state);
  }

  /** Power is cut: whatever runs there is gone at once. */
  async destroy(place: Place): Promise<void> {
    const one = this.#find(place);
    await endPrograms(one.namespace);
    await one.dockerd?.stop();
    one.dockerd = undefined;
    await endContainers(join(this.#folder, one.namespace));
  }

  /** All of it is removed. */
  async stop(): Promise<void> {
    for (const one of this.#all) {
      await this.destroy(one);
      run('ip', 'netns', 'delete', one.namespace);
      rmSync(join(this.#folder, one.namespace), { recursive: true, force: true });
    }
    run('ip', 'netns', 'delete', this.#switch);
    // Volumes of providers, which had no time to see to them.
    unmountBelow(this.#folder);
  }

  #plug(wire: string): void {
    run('ip', '-n', this.#switch, 'link', 'set', wire, 'master', 'switch', 'up');
  }

  #find(place: Place): Datacenter {
    return this.#all.find(({ address }) => address === place.address) as Datacenter;
  }

  async #startEngine(one: Datacenter): Promise<void> {
    const folder = join(this.#folder, one.namespace);
    mkdirSync(folder, { recursive: true });
    const flags = {
      ...{ host: `unix://${one.engine}`, pidfile: join(folder, 'pid') },
      ...{ 'data-root': join(folder, 'data'), 'exec-root': join(folder, 'run') },
      ...{ 'containerd-namespace': one.namespace, 'containerd-plugins-namespace': `${one.namespace}-plugins` },
      ...{ bridge: 'none', iptables: 'false', ip6tables: 'false' },
    };
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const [command = '', ...before] = one.enter;
    one.dockerd = new Program({ name: `dockerd of ${one.namespace}`, command, args: [...before, 'dockerd', ...args] });
    await eventually(`an engine in ${one.namespace}`, async () => {
      if (one.dockerd?.isRunning !== true) throw new Error(one.dockerd?.lastLines.join('\n'));
      const { code } = await runCommand('docker', ['--host', `unix://${one.engine}`, 'version']);
      return code === 0 ? true : undefined;
    });
  }
}

/** Ends what runs in a namespace, and its children wherever they are: containers have networks of their own. */
async function endPrograms(namespace: string): Promise<void> {
  await eventually(`the end of what runs in ${namespace}`, () => {
    const there = new Set(
      run('ip', 'netns', 'pids', namespace)
        .split('\n')
        .filter((line) => line !== '')
        .map(Number),
    );
    for (const pid of [...childrenOf(there), ...there]) kill(pid);
    return there.size === 0 ? true : undefined;
  });
}

/** What an engine that was killed has left: shims that its namespace did not show any more, and mounts. */
async function endContainers(folder: string): Promise<void> {
  await eventually(`the end of what ran in ${folder}`, () => {
    const left = new Set(
      run('ps', '-eo', 'pid,args')
        .split('\n')
        .filter((line) => line.includes(folder))
        .map((line) => Number(line.trim().split(' ')[0])),
    );
    for (const pid of [...childrenOf(left), ...left]) kill(pid);
    return left.size === 0 ? true : undefined;
  });
  unmountBelow(folder);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

function unmountBelow(folder: string): void {
  const mounts = run('cat', '/proc/mounts')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.reverse()) run('umount', '--lazy', path);
}

/** Of a shim: the first program of its container, which takes all others with it. */
function childrenOf(parents: ReadonlySet<number>): number[] {
  return run('ps', '-eo', 'pid,ppid')
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter(([, parent]) => parents.has(parent as number))
    .map(([child]) => child as number);
}
