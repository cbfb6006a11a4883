/** What an operator types, in real processes: from a new home to a full disk. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually, type Finished, runCommand } from '../src/process.ts';

const mud = join(import.meta.dirname, '..', '..', 'chain', 'app', 'bin', 'mud');
const account = 'mu1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq5uuz27';
const longMs = 120_000;
const fast = ['--set', 'rpc.laddr=127.0.0.1:0', '--set', 'telemetry.prometheus_laddr=127.0.0.1:0'];

let root: string;
/** What a test started; none of it is left behind. */
const running = new Set<Node>();

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mu-operators-'));
});
afterEach(async () => {
  for (const node of running) await node.kill();
  rmSync(root, { recursive: true, force: true });
});

const homeOf = (name: string): string => join(root, name);

function run(home: string, ...args: string[]): Promise<Finished> {
  return runCommand(mud, [...args, '--home', home]);
}

/** The output of a command that must succeed. */
async function ok(home: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(home, ...args);
  if (code !== 0) throw new Error(`mud ${args.join(' ')} ended with ${code}: ${stderr}`);
  return stdout.trim();
}

async function refused(home: string, ...args: string[]): Promise<string> {
  const { code, stderr, stdout } = await run(home, ...args);
  expect([code, stdout]).toEqual([1, '']);
  return stderr;
}

/** `mud start`, and how it ended. */
class Node {
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #ready: Promise<{ rpc: string; telemetry: string }>;
  stderr = '';

  constructor(home: string, ...args: string[]) {
    this.#child = spawn(mud, ['start', '--home', home, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stderr?.on('data', (text: Buffer) => (this.stderr += text.toString()));
    const first = new Promise<string>((resolve) =>
      createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).once('line', resolve),
    );
    const gone = this.ended.then((code) => {
      throw new Error(`mud ended with ${code}: ${this.stderr}`);
    });
    this.#ready = Promise.race([first, gone]).then((line) => JSON.parse(line) as { rpc: string; telemetry: string });
    this.#ready.catch(() => undefined);
    running.add(this);
  }

  async until(height: number): Promise<void> {
    await eventually(`block ${height}`, async () => ((await this.health()).height >= height ? true : undefined));
  }

  async health(): Promise<{ status: number; ok: boolean; height: number }> {
    const answer = await fetch(`${(await this.#ready).telemetry}/health`);
    return { status: answer.status, ...((await answer.json()) as { ok: boolean; height: number }) };
  }

  async metrics(): Promise<string> {
    return (await fetch(`${(await this.#ready).telemetry}/metrics`)).text();
  }

  async rpc(): Promise<string> {
    return (await this.#ready).rpc;
  }

  terminate(): Promise<number | null> {
    this.#child.kill('SIGTERM');
    return this.ended;
  }

  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.ended;
    running.delete(this);
  }
}

async function init(name: string, ...settings: string[]): Promise<string> {
  const home = homeOf(name);
  await ok(home, 'init', 'mu-ops', '--set', 'engine.block_interval_ms=50', ...fast, ...settings);
  await ok(home, 'genesis', 'add-account', account, '1000umu');
  return home;
}

test(
  'a genesis of two validators, from what their nodes show of themselves',
  async () => {
    const [one, two] = [await init('one'), await init('two')];
    const key = await ok(two, 'comet', 'show-validator');
    expect(JSON.parse(key)).toEqual({ '@type': '/cosmos.crypto.ed25519.PubKey', key: expect.any(String) });
    await ok(one, 'genesis', 'add-validator', key, '--power', '7', '--name', 'two');
    writeFileSync(join(root, 'list'), `mu1qqqqqqgqqqqqqqqqqqqqqqqqquqqqqqqq3rzan 5umu\n`);
    expect(JSON.parse(await ok(one, 'genesis', 'bulk-add-accounts', join(root, 'list')))).toEqual({
      accounts_added: 1,
    });
    await ok(one, 'genesis', 'set-authority', account);
    expect(await refused(one, 'genesis', 'set-authority', 'cosmos1x')).toContain('no address of this chain');
    expect(JSON.parse(await ok(one, 'genesis', 'validate'))).toMatchObject({ validators: 2, valid: true });
    expect(await ok(two, 'comet', 'show-address')).toMatch(/^[0-9A-F]{40}$/);
    expect(await ok(two, 'comet', 'show-node-id')).toMatch(/^[0-9a-f]{40}$/);
    await ok(one, 'genesis', 'remove-validator', 'two');
    expect(await refused(one, 'genesis', 'remove-validator', 'two')).toContain('no validator of this genesis');
    const file = join(one, 'config', 'genesis.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"amount": "1005"', '"amount": "1006"'));
    expect(await refused(one, 'genesis', 'validate')).toContain('app_state.bank: supply: genesis supply is incorrect');
  },
  longMs,
);

test(
  'settings are read, changed, compared and renewed; secrets are in no answer',
  async () => {
    const home = await init('one');
    await ok(home, 'config', 'set', 'mempool.size', '9');
    expect(await ok(home, 'config', 'get', 'mempool.size')).toBe('9');
    expect(await ok(home, 'config', 'diff')).toContain('mempool.size = 9  # default 5000');
    expect(await refused(home, 'config', 'set', 'mempool.sise', '9')).toContain('unknown key mempool.sise');
    expect(await ok(home, 'config', 'migrate', '--dry-run')).toContain('"changed":false');
    writeFileSync(join(home, 'config', 'mud.toml'), '[rpc]\nladr = "127.0.0.1:1"\n');
    expect(await refused(home, 'start')).toContain('unknown key rpc.ladr; known: laddr');
    writeFileSync(join(home, 'config', 'mud.toml'), 'version = 999\n');
    expect(await refused(home, 'start')).toContain('run the mud that wrote it, or a later one');
    const secrets = ['priv_validator_key.json', 'node_key.json'].map((name) => {
      const json = JSON.parse(readFileSync(join(home, 'config', name), 'utf8')) as { priv_key: { value: string } };
      return json.priv_key.value;
    });
    writeFileSync(join(home, 'config', 'mud.toml'), '');
    for (const args of [
      ['keys', 'show'],
      ['comet', 'show-validator'],
      ['config', 'get'],
      ['genesis', 'validate'],
    ]) {
      const { stdout, stderr } = await run(home, ...args);
      for (const secret of secrets) expect(stdout + stderr).not.toContain(secret);
    }
    expect(JSON.parse(await ok(home, 'version', '--json'))).toMatchObject({
      name: 'mud',
      node: process.version,
      cometbft: expect.stringMatching(/^0\.38\./),
    });
  },
  longMs,
);

test(
  'a node is watched, ends within a block of SIGTERM, and its home is its own while it runs',
  async () => {
    const home = await init('one');
    const node = new Node(home);
    await node.until(3);
    expect(await node.health()).toMatchObject({ status: 200, ok: true });
    expect(await node.metrics()).toMatch(/^mu_block_phase_seconds_count\{phase="finalize"\} [1-9]/m);
    expect(await refused(home, 'start')).toMatch(/another mud \(process \d+\) uses .*: stop it first/);
    expect(await refused(home, 'rollback')).toContain('another mud');
    expect(JSON.parse(await ok(home, 'status'))).toMatchObject({ node_info: { network: 'mu-ops' } });
    const { height } = await node.health();
    const begin = performance.now();
    expect(await node.terminate()).toBe(0);
    expect(performance.now() - begin).toBeLessThan(10_000);
    expect(await refused(home, 'status')).toContain('no node of');
    const again = new Node(home);
    await again.until(height + 2);
    expect(await again.terminate()).toBe(0);
  },
  longMs,
);

test(
  'kill -9 frees the home: the next start goes on',
  async () => {
    const home = await init('one');
    const node = new Node(home);
    await node.until(3);
    await node.kill();
    const again = new Node(home);
    await again.until(5);
    expect(await again.terminate()).toBe(0);
  },
  longMs,
);

test(
  'the state is exported, begins another chain, goes back a block, and forgets old versions',
  async () => {
    const home = await init('one');
    const node = new Node(home);
    await node.until(20);
    expect(await node.terminate()).toBe(0);
    const file = join(root, 'exported.json');
    await ok(home, 'export', '--output-document', file);
    const exported = JSON.parse(readFileSync(file, 'utf8')) as { initial_height: string; app_state: object };
    expect(JSON.parse(await ok(home, 'export', '--height', '5'))).toMatchObject({ initial_height: '6' });
    expect(await refused(home, 'export', '--height', '999999')).toContain('cannot query with height in the future');

    const rolledBack = JSON.parse(await ok(home, 'rollback')) as { from_height: number; height: number };
    expect(rolledBack.height).toBe(rolledBack.from_height - 1);
    expect(rolledBack.from_height).toBe(Number(exported.initial_height) - 1);
    // The block is executed again as it was: the chain goes on.
    const again = new Node(home);
    await again.until(rolledBack.from_height + 2);
    expect(await again.terminate()).toBe(0);
    expect(await ok(home, 'prune')).toContain('"versions_removed":0');
    const pruned = JSON.parse(await ok(home, 'prune', '--set', 'store.pruning=everything')) as Record<string, number>;
    expect(pruned).toMatchObject({ versions: 3, oldest: (pruned['height'] as number) - 2 });
    expect(await refused(home, 'export', '--height', '5')).toContain('invalid height');

    const next = homeOf('next');
    mkdirSync(join(next, 'config'), { recursive: true });
    mkdirSync(join(next, 'data'), { recursive: true });
    copyFileSync(file, join(next, 'config', 'genesis.json'));
    for (const name of ['mud.toml', 'node_key.json', 'priv_validator_key.json'])
      copyFileSync(join(home, 'config', name), join(next, 'config', name));
    writeFileSync(join(next, 'data', 'priv_validator_state.json'), '{"height":"0","round":0,"step":0}');
    expect(await ok(next, 'genesis', 'validate')).toContain('"valid":true');
    const other = new Node(next);
    await other.until(Number(exported.initial_height) + 1);
    expect(await other.terminate()).toBe(0);
  },
  longMs,
);

test(
  'the data folder of another chain, and a damaged one, are refused',
  async () => {
    const home = await init('one');
    const node = new Node(home);
    await node.until(2);
    await node.terminate();
    const file = join(home, 'config', 'genesis.json');
    const genesis = readFileSync(file, 'utf8');
    writeFileSync(file, genesis.replace('"mu-ops"', '"mu-other"'));
    expect(await refused(home, 'start')).toMatch(/holds the state of chain mu-ops, and .* begins chain mu-other/);
    writeFileSync(file, genesis);
    const data = join(home, 'data', 'state', 'data.mdb');
    const bytes = readFileSync(data);
    writeFileSync(data, bytes.subarray(0, bytes.length / 2));
    expect(await refused(home, 'start')).toContain('data.mdb is damaged: it is cut off');
    writeFileSync(data, bytes);
    const again = new Node(home);
    await again.until(4);
    expect(await again.terminate()).toBe(0);
  },
  longMs,
);

describe('a full disk', () => {
  const disk = (): string => join(root, 'disk');
  const filler = (): string => join(disk(), 'filler');
  const canMount = process.platform === 'linux' && process.getuid?.() === 0 && mounts();

  function mounts(): boolean {
    const folder = mkdtempSync(join(tmpdir(), 'mu-mount-'));
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', folder], { stdio: 'ignore' });
      execFileSync('umount', [folder]);
      return true;
    } catch {
      return false;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** Leaves so many bytes. */
  function fill(leave: number): void {
    spawnFill();
    const size = readFileSync(filler()).length;
    execFileSync('truncate', ['-s', String(Math.max(0, size - leave)), filler()]);
  }

  function spawnFill(): void {
    try {
      execFileSync('dd', ['if=/dev/zero', `of=${filler()}`, 'bs=4k'], { stdio: 'ignore' });
    } catch {
      // It ends when there is no room: that is what it is for.
    }
  }

  if (!canMount) {
    test('NOT RUN: a file system cannot be mounted here', () => {
      process.stderr.write('\n*** NOT RUN: a full disk. Only root can mount the small file system it needs.\n\n');
    });
    return;
  }

  test.each([0, 8192, 40_960])(
    'with %i bytes left the node ends cleanly, and goes on when there is room',
    async (leave) => {
      mkdirSync(disk());
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', disk()]);
      try {
        const home = await init('disk/home');
        const node = new Node(home);
        await node.until(5);
        fill(leave);
        expect(await node.ended).toBe(1);
        expect(node.stderr).toMatch(/mud: no space is left on the file system of .*: free some and start again/);
        expect(await refused(home, 'start')).toMatch(/has \d+ bytes left, and mud needs at least/);
        rmSync(filler());
        const before = JSON.parse(await ok(home, 'export')) as { initial_height: string };
        const again = new Node(home);
        await again.until(Number(before.initial_height) + 3);
        const { result } = (await (
          await fetch(`${await again.rpc()}/block?height=${before.initial_height}`)
        ).json()) as {
          result: { block: { header: { height: string } } };
        };
        expect(result.block.header.height).toBe(before.initial_height);
        expect(await again.terminate()).toBe(0);
      } finally {
        for (const node of running) await node.kill();
        execFileSync('umount', [disk()]);
      }
    },
    longMs,
  );
});
