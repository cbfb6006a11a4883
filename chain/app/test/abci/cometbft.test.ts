/** CometBFT itself, over the socket: the test application, and a whole node. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AbciServer } from '@mu/abci/server';
import { describeWithCometbft } from '../../../../scripts/lib/with-cometbft.ts';
import { KvStoreApp } from '../engine/kvstore-app.ts';
import { CometProcess } from './comet-process.ts';

interface Committed {
  readonly check_tx: { readonly code: number; readonly log: string };
  readonly tx_result: { readonly code: number; readonly data: string; readonly events: readonly unknown[] };
  readonly height: string;
}

let root: string;
let comet: CometProcess;
let servers: AbciServer[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mu-comet-'));
  servers = [];
});
afterEach(async () => {
  await comet.stop('SIGKILL');
  for (const server of servers) await server.close();
  rmSync(root, { recursive: true });
});

const base64 = (text: string): string => Buffer.from(text).toString('base64');

async function serve(app: KvStoreApp, listen: string, onFailure?: (error: Error) => void): Promise<AbciServer> {
  const server = new AbciServer(app, { listen, ...(onFailure === undefined ? {} : { onFailure }) });
  servers.push(server);
  await server.listen();
  return server;
}

describeWithCometbft('an application behind CometBFT', (program) => {
  const newApp = (): KvStoreApp => new KvStoreApp(join(root, 'app.json'));
  const startComet = async (listen: string): Promise<void> => {
    comet = new CometProcess(program, join(root, 'comet'));
    await comet.init(listen);
    comet.start();
  };

  test('checks, executes, commits and answers what is asked, and goes on after both were killed', async () => {
    const listen = `unix://${join(root, 'app.sock')}`;
    const app = newApp();
    const server = await serve(app, listen);
    await startComet(listen);
    await comet.untilHeight(1);
    expect(server.connectionCount).toBe(4);
    expect(app.genesis).toHaveLength(1);

    const done = await comet.call<Committed>('broadcast_tx_commit', { tx: base64('colour=green') });
    expect(done.check_tx.code).toBe(0);
    expect(done.tx_result).toMatchObject({ code: 0, data: base64('green') });
    expect(done.tx_result.events).toHaveLength(2);
    const failed = await comet.call<Committed>('broadcast_tx_commit', { tx: base64('x=fail') });
    expect(failed.tx_result.code).toBe(7);
    const refused = await comet.call<{ code: number; log: string }>('broadcast_tx_sync', { tx: base64('nonsense') });
    expect(refused).toMatchObject({ code: 2, log: 'no = in <tx>' });
    const { response } = await comet.call<{ response: { value: string } }>('abci_query', {
      path: '/key',
      data: Buffer.from('colour').toString('hex'),
    });
    expect(response.value).toBe(base64('green'));

    const height = await comet.untilHeight(Number(failed.height) + 1);
    await comet.stop('SIGKILL');
    await server.close();
    const again = newApp();
    await serve(again, listen);
    comet.start();
    await comet.untilHeight(height + 2);
    // It was not given genesis anew: it stands where it stood.
    expect(again.genesis).toHaveLength(0);
    expect(again.saved.values).toMatchObject({ colour: 'green' });
  }, 120_000);

  test('takes a thousand transactions at once, each once', async () => {
    const app = newApp();
    const listen = 'tcp://127.0.0.1:0';
    const server = new AbciServer(app, { listen });
    servers.push(server);
    await startComet(await server.listen());
    await comet.untilHeight(1);
    const names = Array.from({ length: 1000 }, (_, n) => `k${n}=v${n}`);
    const answers = await Promise.all(
      names.map((tx) => comet.call<{ code: number }>('broadcast_tx_sync', { tx: base64(tx) })),
    );
    expect(answers.every(({ code }) => code === 0)).toBe(true);
    const last = await comet.call<Committed>('broadcast_tx_commit', { tx: base64('last=1') });
    await comet.untilHeight(Number(last.height) + 1);
    expect(Object.keys(app.saved.values)).toHaveLength(1001);
    const checked = app.checks.filter(({ isRecheck }) => !isRecheck).map(({ tx }) => tx);
    const executed = app.executed.flatMap(({ txs }) => txs.map((tx) => Buffer.from(tx).toString()));
    // CometBFT itself puts a transaction behind the next one when its check is answered before it listens for the answer.
    expect(executed.toSorted()).toEqual(checked.toSorted());
  }, 120_000);

  test('that fails in FinalizeBlock ends CometBFT with its words, and executes nothing more', async () => {
    const app = newApp();
    const listen = `unix://${join(root, 'app.sock')}`;
    const failures: Error[] = [];
    await serve(app, listen, (error) => failures.push(error));
    await startComet(listen);
    await comet.untilHeight(2);
    let after = 0;
    app.finalizeBlock = () => {
      after++;
      throw new Error('this block is beyond me');
    };
    await comet.ended;
    expect(comet.log).toContain('this block is beyond me');
    expect(failures.map(({ message }) => message)).toEqual(['this block is beyond me']);
    expect(after).toBe(1);
  }, 120_000);
});
