/**
 * `mud` drives a chain of the Go SDK by its embedded engine: the program `peerd` (MU_PEERD, else found in PATH), with the
 * home folder that it made itself. Where it is missing the test says so, and the rest runs.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../src/node/config.ts';
import { homeAt } from '../../src/node/home.ts';
import { type RunningNode, startNode } from '../../src/node/start.ts';

const peerd =
  process.env['MU_PEERD'] ??
  (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'peerd'))
    .find((file) => existsSync(file));

let root: string;
let address: string;
let running: ChildProcess | undefined;
let nodes: RunningNode[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mu-go-'));
  address = `unix://${join(root, 'app.sock')}`;
  nodes = [];
});
afterEach(async () => {
  for (const node of nodes) await node.stop();
  await end('SIGKILL');
  rmSync(root, { recursive: true });
});

/** The Go chain with one validator, whose key the engine then signs with. */
function makeGoChain(program: string): void {
  const run = (...args: string[]): void =>
    void execFileSync(program, ['--home', root, ...args], { stdio: 'ignore', timeout: 60_000 });
  const keys = ['--keyring-backend', 'test'];
  run('init', 'peer', '--chain-id', 'peer-1');
  run('keys', 'add', 'validator', ...keys);
  run('genesis', 'add-genesis-account', 'validator', '1000000000stake', ...keys);
  run('genesis', 'gentx', 'validator', '500000000stake', '--chain-id', 'peer-1', ...keys);
  run('genesis', 'collect-gentxs');
}

function startGoChain(program: string): void {
  // Go's server does not take over the file of a killed one.
  rmSync(join(root, 'app.sock'), { force: true });
  const args = ['start', '--with-comet=false', '--transport', 'socket', '--address', address, '--log_level', 'error'];
  running = spawn(program, ['--home', root, ...args, '--minimum-gas-prices', '0stake'], { stdio: 'ignore' });
}

async function end(signal: NodeJS.Signals): Promise<void> {
  const child = running;
  running = undefined;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await ended;
}

async function startEngine(): Promise<RunningNode> {
  const node = await startNode(
    homeAt(root),
    loadConfig(
      homeAt(root).config,
      {},
      {
        'engine.proxy_app': address,
        'engine.block_interval_ms': '50',
        'rpc.laddr': '127.0.0.1:0',
        'node.log_level': 'silent',
      },
    ),
  );
  nodes.push(node);
  return node;
}

async function ask<T>(node: RunningNode, path: string): Promise<T> {
  const answer = await fetch(`${node.addresses.rpc}/${path}`);
  return ((await answer.json()) as { result: T }).result;
}

async function untilHeight(node: RunningNode, height: number): Promise<void> {
  for (;;) {
    const { sync_info } = await ask<{ sync_info: { latest_block_height: string } }>(node, 'status');
    if (Number(sync_info.latest_block_height) >= height) return;
    await Promise.race([node.failed, new Promise((resolve) => setImmediate(resolve))]);
  }
}

function declare(program: string): void {
  describe('the engine solo over a chain in Go', () => {
    test('makes its blocks, ends with it, and goes on where it stood', async () => {
      makeGoChain(program);
      startGoChain(program);
      const first = await startEngine();
      await untilHeight(first, 5);
      const supply = await ask<{ response: { code: number; height: string } }>(
        first,
        'abci_query?path="/cosmos.bank.v1beta1.Query/TotalSupply"',
      );
      expect(supply.response.code).toBe(0);
      await end('SIGKILL');
      await expect(first.failed).rejects.toThrow(/^the \w+ connection to unix:.* is lost: /);
      await first.stop();

      startGoChain(program);
      const second = await startEngine();
      await untilHeight(second, 10);
      const { block } = await ask<{ block: { header: { chain_id: string; app_hash: string } } }>(
        second,
        'block?height=9',
      );
      expect(block.header.chain_id).toBe('peer-1');
      expect(block.header.app_hash).toMatch(/^[0-9A-F]{64}$/);
    }, 120_000);
  });
}

if (peerd === undefined) {
  test('NOT RUN, the Go chain is missing: the engine solo over a chain in Go', () => {
    process.stderr.write(
      '\n*** NOT RUN: the engine solo over a chain in Go\n*** set MU_PEERD to the program peerd\n\n',
    );
  });
} else declare(peerd);
