/** A whole node, with its files and its embedded engine, at the height of a plan that its program does not know. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { toBase64 } from '@mu/lib/bytes';
import { UpgradeNeeded } from '@mu/x-upgrade/errors';
import { MsgSoftwareUpgrade } from 'cosmjs-types/cosmos/upgrade/v1beta1/tx';
import { parseGenesis } from '../../src/engine/genesis.ts';
import { loadOrCreateValidator } from '../../src/engine/private-validator.ts';
import { SoloEngine } from '../../src/engine/solo-engine.ts';
import { createMuApp, muStoreNames } from '../../src/mu-app.ts';
import { loadConfig } from '../../src/node/config.ts';
import { addAccount, readGenesis, writeGenesis } from '../../src/node/genesis.ts';
import { type Home, homeAt } from '../../src/node/home.ts';
import { initHome } from '../../src/node/init.ts';
import { type RunningNode, startNode } from '../../src/node/start.ts';
import { upgradeInfoFile } from '../../src/node/upgrade.ts';
import { LmdbCommitStore } from '../../src/store/lmdb-store.ts';
import { type Account, accountOf, any, chainId, signTx, withAuthority } from '../app/mu-chain.ts';

let home: Home;
let authority: Account;
beforeEach(async () => {
  home = homeAt(mkdtempSync(join(tmpdir(), 'mu-node-')));
  authority = await accountOf('authority');
  const time = '2026-01-01T00:00:00Z';
  initHome(home, { chainId, moniker: 'node', prefix: 'mu', denom: 'umu', time, settings: {} });
  const genesis = addAccount(readGenesis(home.genesis), authority.address, '1000000000umu');
  writeGenesis(home.genesis, { ...genesis, app_state: withAuthority(genesis.app_state, authority) });
});
afterEach(() => rmSync(home.root, { recursive: true, force: true }));

const start = (): Promise<RunningNode> =>
  startNode(
    home,
    loadConfig(
      home.config,
      {},
      { 'rpc.laddr': '127.0.0.1:0', 'engine.block_interval_ms': '20', 'node.log_level': 'silent' },
    ),
  );

async function broadcast(node: RunningNode, tx: Uint8Array): Promise<unknown> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'broadcast_tx_commit', params: { tx: toBase64(tx) } });
  const answer = await fetch(node.addresses.rpc as string, { method: 'POST', body });
  return ((await answer.json()) as { result: { tx_result: { code: number } } }).result.tx_result.code;
}

async function heightOf(node: RunningNode): Promise<bigint> {
  const answer = await fetch(`${node.addresses.rpc}/status`);
  const { result } = (await answer.json()) as { result: { sync_info: { latest_block_height: string } } };
  return BigInt(result.sync_info.latest_block_height);
}

/** A plan far enough ahead for its transaction to come before it on a busy machine. */
function planAbove(latest: bigint) {
  const height = latest + 60n;
  const plan = { name: 'v2', height, info: 'see the notes' };
  return { height, message: MsgSoftwareUpgrade.fromPartial({ authority: authority.address, plan }) };
}

/** Why a node ends by itself. */
async function endOf(node: RunningNode): Promise<unknown> {
  const error = await node.failed.catch((thrown: unknown) => thrown);
  await node.stop();
  return error;
}

test('it writes the file, ends with the SDK’s words, does so again, and the next program goes on where it stood', async () => {
  const node = await start();
  const { height, message } = planAbove(await heightOf(node));
  expect(await broadcast(node, await signTx(authority, [any(MsgSoftwareUpgrade, message)], 0n, 0n))).toBe(0);
  const ends = [await endOf(node), await start().then(endOf, (refused: unknown) => refused)];
  for (const end of ends) {
    expect(String((end as Error).message)).toContain(`UPGRADE "v2" NEEDED at height: ${height}: see the notes`);
  }
  expect(ends[0]).toBeInstanceOf(UpgradeNeeded);
  expect(JSON.parse(readFileSync(upgradeInfoFile(home), 'utf8'))).toMatchObject({ name: 'v2', height: Number(height) });

  const store = new LmdbCommitStore(home.state, muStoreNames);
  expect(store.last.height).toBe(height - 1n);
  const app = createMuApp({ store, upgrades: [{ name: 'v2' }] });
  const engine = new SoloEngine({
    app,
    genesis: parseGenesis(readGenesis(home.genesis)),
    dataPath: home.engine,
    validator: loadOrCreateValidator({ key: home.validatorKey, state: home.validatorState }),
    blocks: { mode: 'manual' },
  });
  await engine.start();
  await engine.advance(2);
  expect(engine.state).toMatchObject({ lastBlockHeight: height + 2n, appVersion: 1n });
  expect(engine.store.block(height + 1n)?.header.version?.app).toBe(1n);
  expect(engine.store.block(height)?.header.version?.app).toBe(0n);
  await engine.stop();
  await store.close();
}, 30_000);
