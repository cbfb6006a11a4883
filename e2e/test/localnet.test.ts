import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import { afterAll, afterEach, beforeAll, expect, jest, test } from '@jest/globals';
import { ChainClient } from '@mu/client/chain/chain-client';
import { createRegistry } from '@mu/client/chain/registry';
import { Sender } from '@mu/client/chain/sender';
import { toBech32 } from '@mu/lib/bech32';
import { hasLocalnet, readLocalnet } from '../../scripts/lib/localnet/layout.ts';
import { killNetwork, untilHeight } from '../../scripts/lib/localnet/network.ts';
import { heightOf } from '../../scripts/lib/localnet/rpc.ts';
import { compareChains } from '../../scripts/lib/perturb/verify.ts';
import { describeWithCometbft } from '../../scripts/lib/with-cometbft.ts';
import { must } from '../src/network.ts';
import { eventually, type Finished, runCommand } from '../src/process.ts';
import { processesOf } from '../src/processes-of.ts';

jest.setTimeout(240_000);

const scripts = join(import.meta.dirname, '..', '..', 'scripts');
const program = (name: string, args: readonly string[]): Promise<Finished> =>
  runCommand(process.execPath, ['--disable-warning=ExperimentalWarning', join(scripts, name), ...args]);

/** Nobody has its key: what arrives there stays. */
const receiver = toBech32('mu', new Uint8Array(20).fill(5));

interface Status {
  readonly name: string;
  readonly rpc: string;
  readonly pid_app: number | null;
  readonly pid_engine: number | null;
  readonly height: number | null;
  readonly app_hash: string | null;
}

describeWithCometbft('four validators behind CometBFT', () => {
  let folder: string;
  const home = (): string => join(folder, 'net');
  const localnet = (...args: string[]): Promise<Finished> => program('localnet.ts', [...args, '--home', home()]);
  const status = async (): Promise<[Status, Status, Status, Status]> =>
    JSON.parse((await must(localnet('status', '--json'))).stdout) as [Status, Status, Status, Status];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mu-localnet-'));
    await must(localnet('up', '--validators', '4', '--timeout-commit', '500'));
  });
  afterAll(async () => {
    if (hasLocalnet(home())) await killNetwork(readLocalnet(home()));
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => expect(processesOf(home()).length).toBeLessThanOrEqual(8));

  /** Sends one umu so often, one after the other, and waits for the last. */
  async function send(rpc: string, count: number): Promise<void> {
    const { mnemonic } = JSON.parse(readFileSync(join(home(), 'faucet.json'), 'utf8')) as { mnemonic: string };
    const signer = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: 'mu' });
    const client = await ChainClient.connect(rpc);
    const sender = await Sender.create({
      client,
      signer,
      registry: createRegistry(),
      gasPriceMicro: 0n,
      feeDenom: 'umu',
    });
    const value = { fromAddress: sender.address, toAddress: receiver, amount: [{ denom: 'umu', amount: '1' }] };
    let last = await sender.send([{ typeUrl: '/cosmos.bank.v1beta1.MsgSend', value }]);
    for (let at = 1; at < count; at += 1)
      last = await sender.send([{ typeUrl: '/cosmos.bank.v1beta1.MsgSend', value }]);
    await last.committed();
    client.disconnect();
  }

  async function balances(nodes: readonly Status[]): Promise<bigint[]> {
    return Promise.all(
      nodes.map(async ({ rpc }) => {
        const client = await ChainClient.connect(rpc);
        const balance = await client.balance(receiver, 'umu');
        client.disconnect();
        return balance;
      }),
    );
  }

  test('all run, each with its programs, and a second `up` is refused with what to do', async () => {
    const nodes = await status();
    expect(nodes.map(({ name }) => name)).toEqual(['node0', 'node1', 'node2', 'node3']);
    for (const node of nodes) {
      expect(node.height).toBeGreaterThanOrEqual(2);
      expect(node.app_hash).toMatch(/^[0-9A-F]{64}$/);
      for (const pid of [node.pid_app, node.pid_engine]) expect(() => process.kill(pid as number, 0)).not.toThrow();
    }
    expect(new Set(nodes.flatMap(({ pid_app, pid_engine }) => [pid_app, pid_engine])).size).toBe(8);
    const again = await localnet('up');
    expect(again.code).toBe(1);
    expect(again.stderr).toContain(`is up: stop it with \`./scripts/localnet down --home ${home()}\``);
    expect((await localnet('restart', 'node7')).stderr).toContain(
      'the nodes of this network are node0, node1, node2, node3',
    );
  });

  test('what is sent to one node is in the state of all; one that was killed comes back to it', async () => {
    const [first, second] = await status();
    await send(first.rpc, 5);
    await must(localnet('stop', 'node1', '--kill'));
    await send(first.rpc, 5);
    expect((await status())[1]).toEqual({ ...second, pid_app: null, pid_engine: null, height: null, app_hash: null });
    await must(localnet('restart', 'node1'));
    const net = readLocalnet(home());
    await untilHeight(net, (await heightOf(first.rpc)) + 2);
    expect(await balances(await status())).toEqual([10n, 10n, 10n, 10n]);
    const { txs } = await compareChains(net, await heightOf(first.rpc));
    expect(txs).toHaveLength(10);
  });

  test('an engine whose application died is ended too when the node is started again', async () => {
    const before = (await status())[2];
    process.kill(before.pid_app as number, 'SIGKILL');
    await eventually('the end of mud', async () => ((await status())[2].pid_app === null ? true : undefined));
    await must(localnet('restart', 'node2'));
    const after = (await status())[2];
    expect(after.pid_app).not.toBeNull();
    expect(after.pid_engine).not.toBe(before.pid_engine);
    await untilHeight(readLocalnet(home()), (await heightOf(before.rpc)) + 2);
  });

  test('`down` ends all, also where some are dead already, and `up` goes on where it was', async () => {
    const nodes = await status();
    process.kill(nodes[3].pid_engine as number, 'SIGKILL');
    await must(localnet('down'));
    expect(processesOf(home())).toEqual([]);
    expect((await status()).map(({ height }) => height)).toEqual([null, null, null, null]);
    await must(localnet('up'));
    const [first] = await status();
    expect(first.height).toBeGreaterThan(nodes[0].height as number);
    expect(await balances(await status())).toEqual([10n, 10n, 10n, 10n]);
    await must(localnet('down', '--remove'));
    expect(processesOf(home())).toEqual([]);
  });
});

describeWithCometbft('four validators to which things happen', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'mu-perturb-test-'));
  });
  afterAll(async () => {
    const home = join(folder, 'net');
    if (hasLocalnet(home)) await killNetwork(readLocalnet(home));
    rmSync(folder, { recursive: true, force: true });
  });

  test('killed, paused, restarted, wiped and state-synced under load, they have one chain and nothing is lost', async () => {
    const done = await program('perturb.ts', ['--seed', '4', '--rounds', '10', '--home', join(folder, 'net')]);
    // What happened, when it was not what should.
    if (done.code !== 0) process.stderr.write(done.stdout + done.stderr);
    const result = JSON.parse(done.stdout.trim().split('\n').at(-1) as string) as Record<string, number | string>;
    expect(result).toMatchObject({ perturb: 'ok', seed: 4, rounds: 10, validators: 4 });
    expect(result['txs']).toBeGreaterThan(50);
    expect(result['heights']).toBeGreaterThan(10);
    expect(processesOf(folder)).toEqual([]);
  });
});
