/** State sync against a validator that lies: it offers a whole and well-formed snapshot of a state that is not the chain's. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { muStoreNames } from '@mu/app/mu-app';
import { homeAt } from '@mu/app/node/home';
import { restoreStored } from '@mu/app/snapshots/restore';
import { SnapshotFiles } from '@mu/app/snapshots/snapshot-files';
import { takeSnapshot } from '@mu/app/snapshots/take';
import { LmdbCommitStore } from '@mu/app/store/lmdb-store';
import { utf8 } from '@mu/lib/bytes';
import { createLocalnet } from '../../scripts/lib/localnet/create.ts';
import { type Localnet, logsOf, type NodeLayout, nodeHome, rpcOf } from '../../scripts/lib/localnet/layout.ts';
import { killNetwork, startNetwork, untilCaughtUp, untilHeight } from '../../scripts/lib/localnet/network.ts';
import { killNode, wipeNode } from '../../scripts/lib/localnet/node.ts';
import { heightOf } from '../../scripts/lib/localnet/rpc.ts';
import { startByStateSync } from '../../scripts/lib/localnet/state-sync.ts';
import { compareChains } from '../../scripts/lib/perturb/verify.ts';
import { describeWithCometbft } from '../../scripts/lib/with-cometbft.ts';
import { eventually } from '../src/process.ts';

jest.setTimeout(240_000);

/** Far enough apart that the next one does not come while the node chooses among those there are. */
const interval = 20;

describeWithCometbft('four validators, one of which lies about the state', (cometbft) => {
  let folder: string;
  let net: Localnet;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mu-state-sync-'));
    net = await createLocalnet({
      home: join(folder, 'net'),
      validators: 4,
      cometbft,
      settings: { 'store.snapshot_interval': String(interval) },
    });
    await startNetwork(net, cometbft);
  });
  afterAll(async () => {
    await killNetwork(net);
    rmSync(folder, { recursive: true, force: true });
  });

  const filesOf = (node: NodeLayout): SnapshotFiles => new SnapshotFiles(homeAt(nodeHome(net, node)).snapshots);

  /** Puts a snapshot of a later height among a node's, in whose state somebody has what nobody gave him. */
  async function lie(node: NodeLayout): Promise<void> {
    const files = filesOf(node);
    const snapshot = await eventually('a snapshot', () => files.get(BigInt(interval), 3), 120_000);
    const store = new LmdbCommitStore(join(folder, 'lie'), muStoreNames);
    await restoreStored(files, { target: store, names: muStoreNames, snapshot, appHash: undefined });
    const height = snapshot.height + 1n;
    store.commit(height, [{ store: 'bank', key: utf8('thief'), value: utf8('1000000000umu') }]);
    await takeSnapshot({ source: store, files, height });
    await store.close();
  }

  test('its snapshot is refused and it is not asked again; the node begins with the one of the others', async () => {
    const [, liar, victim] = net.nodes as [NodeLayout, NodeLayout, NodeLayout];
    await lie(liar);
    // The two blocks after a snapshot hold its hash and the validators; the false one is the newer, and is tried first.
    await untilHeight(net, interval + 4, { limitMs: 120_000 });
    await killNode(net, victim);
    wipeNode(net, victim);
    await startByStateSync(net, victim, cometbft);
    await untilCaughtUp(net, victim.name);
    const logs = logsOf(net, victim);
    const notices = readFileSync(logs.app, 'utf8');
    expect(notices).toMatch(/"height":21,"problem":"the content has app hash \w+, the chain has \w+"/);
    expect(notices).toMatch(/"height":20,.*"msg":"snapshot restored"/);
    expect(readFileSync(logs.engine, 'utf8')).toMatch(/Snapshot rejected .*height=21/);
    await compareChains(net, await heightOf(rpcOf(victim)));
  });
});
