/** A node's application over its files and the embedded engine, at the height of a plan that its program does not know. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Application } from '@mu/abci/application';
import { UpgradeNeeded } from '@mu/x-upgrade/errors';
import { MsgSoftwareUpgrade } from 'cosmjs-types/cosmos/upgrade/v1beta1/tx';
import { pino } from 'pino';
import { parseGenesis } from '../../src/engine/genesis.ts';
import { loadOrCreateValidator } from '../../src/engine/private-validator.ts';
import { SoloEngine } from '../../src/engine/solo-engine.ts';
import { createMuApp, muStoreNames } from '../../src/mu-app.ts';
import { loadConfig } from '../../src/node/config.ts';
import { addAccount, readGenesis, writeGenesis } from '../../src/node/genesis.ts';
import { type Home, homeAt } from '../../src/node/home.ts';
import { initHome } from '../../src/node/init.ts';
import { openApplication } from '../../src/node/open-application.ts';
import { upgradeInfoFile } from '../../src/node/upgrade.ts';
import { LmdbCommitStore } from '../../src/store/lmdb-store.ts';
import { type Account, accountOf, any, chainId, signTx, withAuthority } from '../app/mu-chain.ts';

const height = 6n;
const words = 'UPGRADE "v2" NEEDED at height: 6: see the notes';

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

const engineOf = (app: Application): SoloEngine =>
  new SoloEngine({
    app,
    genesis: parseGenesis(readGenesis(home.genesis)),
    dataPath: home.engine,
    validator: loadOrCreateValidator({ key: home.validatorKey, state: home.validatorState }),
    blocks: { mode: 'manual' },
  });

/** Runs a node until it ends by itself; says why, once to the caller and once to whoever watches the node. */
async function runToItsEnd(work: (engine: SoloEngine) => Promise<unknown>): Promise<unknown[]> {
  const told: unknown[] = [];
  const log = pino({ level: 'silent' });
  const opened = openApplication(home, loadConfig(home.config, {}), log, {
    onFailure: (error) => void told.push(error),
    answersQueries: false,
  });
  const engine = engineOf(opened.application);
  const ended = await engine
    .start()
    .then(() => work(engine))
    .catch((error: unknown) => error);
  await nextTurn();
  await engine.stop();
  await opened.close();
  return [ended, ...told];
}

test('the file is written, the node ends with the SDK’s words, again at each start, and the next program goes on', async () => {
  const plan = { name: 'v2', height, info: 'see the notes' };
  const message = MsgSoftwareUpgrade.fromPartial({ authority: authority.address, plan });
  const tx = await signTx(authority, [any(MsgSoftwareUpgrade, message)], 0n, 0n);
  const first = await runToItsEnd(async (engine) => {
    await engine.checkTx(tx);
    return engine.advance(20);
  });
  expect(first[0]).toBeInstanceOf(UpgradeNeeded);
  const again = await runToItsEnd(() => Promise.resolve('it runs'));
  for (const ends of [first, again]) {
    expect(ends.map((end) => (end as Error).message)).toEqual([words, words]);
  }
  expect(JSON.parse(readFileSync(upgradeInfoFile(home), 'utf8'))).toMatchObject({
    name: 'v2',
    height: Number(height),
    info: 'see the notes',
  });

  const store = new LmdbCommitStore(home.state, muStoreNames);
  expect(store.last.height).toBe(height - 1n);
  const engine = engineOf(createMuApp({ store, upgrades: [{ name: 'v2' }] }));
  await engine.start();
  expect(engine.state.lastBlockHeight).toBe(height);
  await engine.advance(2);
  const versions = [height, height + 1n].map((at) => engine.store.block(at)?.header.version?.app);
  expect(versions).toEqual([0n, 1n]);
  expect(engine.state).toMatchObject({ lastBlockHeight: height + 2n, appVersion: 1n });
  await engine.stop();
  await store.close();
}, 60_000);
