/** A memory cgroup for a program and all that it starts, and what they took of it. Needs root; v1 or v2. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Files of a version of cgroups. */
interface Version {
  readonly name: 'v1' | 'v2';
  readonly root: string;
  readonly limit: string;
  /** In `memory.stat`: memory of programs, the page cache left out. */
  readonly anonymous: string;
  /** Where kills for want of memory are counted. */
  readonly kills: string;
}

const versions: readonly Version[] = [
  {
    ...{ name: 'v1', root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes' },
    ...{ anonymous: 'rss', kills: 'memory.oom_control' },
  },
  {
    ...{ name: 'v2', root: '/sys/fs/cgroup', limit: 'memory.max' },
    ...{ anonymous: 'anon', kills: 'memory.events' },
  },
];

/** Milliseconds between two looks. */
const lookMs = 50;

export interface Peak {
  /** Bytes of the largest process, by the kernel's own mark. */
  readonly largestRss: number;
  /** Bytes of all its processes together, without the page cache: the most that a look has found. */
  readonly together: number;
  /** Processes that the kernel ended for want of memory. */
  readonly kills: number;
}

export class Confined {
  readonly version: Version['name'];
  /** The command that runs another one in it. */
  readonly enter: readonly string[];
  readonly #version: Version;
  readonly #folder: string;
  readonly #timer: NodeJS.Timeout;
  #largestRss = 0;
  #together = 0;

  /** @throws where there is no cgroup of memory, or this user may make none */
  constructor(name: string, bytes: number) {
    const version = versions.find(({ root, name: of }) => existsSync(join(root, mark[of])));
    if (version === undefined) throw new Error('there is no memory cgroup here');
    this.#version = version;
    this.version = version.name;
    this.#folder = join(version.root, name);
    if (version.name === 'v2') writeFileSync(join(version.root, 'cgroup.subtree_control'), '+memory');
    mkdirSync(this.#folder);
    writeFileSync(join(this.#folder, version.limit), String(bytes));
    const procs = join(this.#folder, 'cgroup.procs');
    this.enter = ['/bin/sh', '-c', `echo $$ > ${procs} && exec "$0" "$@"`];
    this.#timer = setInterval(() => this.#look(), lookMs);
  }

  peak(): Peak {
    this.#look();
    const kills = this.#number(this.#version.kills, 'oom_kill');
    return { largestRss: this.#largestRss, together: this.#together, kills };
  }

  /** When all its processes have ended. */
  close(): void {
    clearInterval(this.#timer);
    rmdirSync(this.#folder);
  }

  #look(): void {
    this.#together = Math.max(this.#together, this.#number('memory.stat', this.#version.anonymous));
    for (const pid of this.#read('cgroup.procs').split('\n').filter(Boolean)) {
      this.#largestRss = Math.max(this.#largestRss, highWaterMark(Number(pid)));
    }
  }

  #number(file: string, name: string): number {
    return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(this.#read(file))?.[1] ?? 0);
  }

  #read(file: string): string {
    return readFileSync(join(this.#folder, file), 'utf8');
  }
}

const mark = { v1: 'memory.limit_in_bytes', v2: 'cgroup.controllers' } as const;

/** The most memory that a process has had, in bytes; 0 for one that has ended. */
export function highWaterMark(pid: number): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return 1024 * Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

/** A program and its children, where there is no cgroup to be had: only looked at. */
export function watchTree(pid: () => number): { peak(): Peak; close(): void } {
  let largestRss = 0;
  let together = 0;
  const look = (): void => {
    const all = familyOf(pid()).map(highWaterMark);
    largestRss = Math.max(largestRss, ...all);
    together = Math.max(
      together,
      all.reduce((sum, one) => sum + one, 0),
    );
  };
  const timer = setInterval(look, lookMs);
  return {
    peak: () => {
      look();
      return { largestRss, together, kills: 0 };
    },
    close: () => clearInterval(timer),
  };
}

function familyOf(pid: number): number[] {
  if (pid === 0) return [];
  const parents = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => [Number(name), parentOf(name)] as const);
  const found = [pid];
  for (const one of found) found.push(...parents.flatMap(([child, parent]) => (parent === one ? [child] : [])));
  return found;
}

function parentOf(pid: string): number {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
