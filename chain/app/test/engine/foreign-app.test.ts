/** The embedded engine drives an application behind a socket exactly as one of its own process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AbciClient } from '@mu/abci/client';
import { AbciServer } from '@mu/abci/server';
import { bytes, Home } from './harness.ts';
import { KvStoreApp } from './kvstore-app.ts';

let folder: string;
let homes: Home[];
let closing: (() => unknown)[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-foreign-'));
  homes = [];
  closing = [];
});
afterEach(async () => {
  for (const home of homes) await home.remove();
  for (const close of closing.reverse()) await close();
  rmSync(folder, { recursive: true });
});

function newHome(): Home {
  const home = new Home();
  homes.push(home);
  return home;
}

/** The same application as the harness has, behind a socket. */
async function served() {
  const app = new KvStoreApp(join(folder, 'foreign.json'));
  const server = new AbciServer(app, { listen: `unix://${join(folder, 'app.sock')}` });
  const address = await server.listen();
  closing.push(() => server.close());
  const failures: Error[] = [];
  const client = await AbciClient.connect(address, { onFailure: (error) => failures.push(error) });
  closing.push(() => client.close());
  return { app, server, client, failures };
}

test('its blocks have the hashes that the same application in this process has', async () => {
  const { app, client } = await served();
  const near = await newHome().started();
  const far = await newHome().started({ app: client });
  for (const { engine } of [near, far]) {
    await engine.checkTx(bytes('a=1'));
    await engine.checkTx(bytes('b=fail'));
    expect((await engine.checkTx(bytes('nonsense'))).code).toBe(2);
    await engine.advance(1);
    await engine.checkTx(bytes('c=3'));
    await engine.advance(3);
  }
  for (let height = 1n; height <= 4n; height++) {
    expect(far.engine.store.meta(height)?.blockId).toEqual(near.engine.store.meta(height)?.blockId);
  }
  expect(far.engine.state.appHash).toEqual(near.engine.state.appHash);
  expect(app.executed).toEqual(near.app.executed);
  expect(app.saved.values).toEqual({ a: '1', c: '3' });
});

test('it ends when the application does, and goes on with the block that it began', async () => {
  const first = await served();
  const home = newHome();
  const { engine } = await home.started({ app: first.client });
  await engine.advance(2);
  const finalize = first.app.finalizeBlock.bind(first.app);
  first.app.finalizeBlock = () => {
    first.app.finalizeBlock = finalize;
    throw new Error('the machine room is on fire');
  };
  await engine.checkTx(bytes('d=4'));
  await expect(engine.advance(1)).rejects.toThrow('the machine room is on fire');
  expect(engine.isRunning).toBe(false);
  await engine.stop();
  await first.server.close();
  expect(first.failures).toHaveLength(1);

  const second = await served();
  const { engine: next } = await home.started({ app: second.client });
  expect(next.state.lastBlockHeight).toBe(3n);
  await next.advance(1);
  expect(second.app.saved).toMatchObject({ height: 4, values: { d: '4' } });
});
