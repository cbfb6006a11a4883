import { createPublicKey, verify } from 'node:crypto';
import { toHex } from '@mu/lib/bytes';
import { headerHash, precommitSignBytes } from '@mu/lib/comet-header';
import { commitHash, txHash } from '../../src/engine/block.ts';
import { Query } from '../../src/engine/query/query.ts';
import { timeToMs } from '../../src/engine/time.ts';
import { ValidatorSet } from '../../src/engine/validator-set.ts';
import { bytes, genesisMs, Home } from './harness.ts';

let home: Home;
beforeEach(() => {
  home = new Home();
});
afterEach(() => home.remove());

function isSignedBy(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), publicKey]),
    format: 'der',
    type: 'spki',
  });
  return verify(null, message, key, signature);
}

describe('blocks', () => {
  test('are linked, hashed and signed as a light client checks them', async () => {
    const { engine, app } = await home.started();
    await engine.checkTx(bytes('a=1'));
    await engine.advance(3);
    const { store, validator } = engine;
    for (let height = 1n; height <= 3n; height++) {
      const { header, lastCommit, data } = store.block(height)!;
      const { blockId } = store.meta(height)!;
      const commit = store.commit(height)!;
      expect(blockId.hash).toEqual(headerHash(header));
      expect(commit.blockId).toEqual(blockId);
      const [signature] = commit.signatures;
      const vote = { ...commit, timestamp: signature!.timestamp };
      expect(isSignedBy(validator.publicKey, precommitSignBytes('kv-1', vote), signature!.signature)).toBe(true);
      expect(header.validatorsHash).toEqual(store.validators(height)!.hash());
      expect(header.nextValidatorsHash).toEqual(store.validators(height + 1n)!.hash());
      expect(header.lastCommitHash).toEqual(commitHash(lastCommit!));
      expect(header.version).toEqual({ block: 11n, app: 3n });
      expect(data.txs).toHaveLength(height === 1n ? 1 : 0);
      if (height === 1n) continue;
      const previous = store.meta(height - 1n)!;
      expect(header.lastBlockId).toEqual(previous.blockId);
      expect(lastCommit).toEqual(store.commit(height - 1n));
      expect(header.appHash).toEqual(store.response(height - 1n)!.appHash);
    }
    const [first, second] = app.executed;
    expect(first!.decidedLastCommit.votes).toEqual([]);
    expect(second!.decidedLastCommit.votes).toEqual([
      { validator: { address: validator.address, power: 10n }, blockIdFlag: 2 },
    ]);
    expect(second!.hash).toEqual(store.meta(2n)!.blockId.hash);
    expect(app.prepared[0]!.maxTxBytes).toBe(22_016_007n);
  });

  test('InitChain gets genesis', async () => {
    const { app, engine } = await home.started({}, { initial_height: '5' });
    await engine.advance(2);
    const [request] = app.genesis;
    expect(Buffer.from(request!.appStateBytes).toString()).toBe('{"greeting":"hello"}');
    expect(request).toMatchObject({ chainId: 'kv-1', initialHeight: 5n });
    expect(request!.validators[0]!.power).toBe(10n);
    expect([engine.store.base, engine.store.height]).toEqual([5n, 6n]);
    expect(engine.store.block(5n)!.lastCommit!.signatures).toEqual([]);
  });

  test('time follows the clock and never stands still', async () => {
    let now = genesisMs + 10_000;
    const { engine } = await home.started({ clock: () => now });
    const times: number[] = [];
    const advance = async (blocks: number, stepMs?: number): Promise<void> => {
      await engine.advance(blocks, stepMs);
      times.push(timeToMs(engine.state.lastBlockTime) - genesisMs);
    };
    await advance(1);
    await advance(1);
    await advance(1);
    engine.setTime(genesisMs + 60_000);
    await advance(1);
    now += 5;
    await advance(1);
    await advance(2, 1000);
    engine.setTime(genesisMs);
    await advance(1);
    expect(times).toEqual([0, 10_000, 10_001, 60_000, 60_005, 62_005, 62_006]);
  });

  test('timed ones come by themselves, empty too', async () => {
    const { engine } = await home.started({ blocks: { mode: 'timed', intervalMs: 5 } });
    await new Promise<void>((resolve) => {
      engine.bus.subscribe('test', Query.parse("tm.event='NewBlock'"), (event) => {
        if (event.type === 'NewBlock' && event.block.header.height === 4n) resolve();
      });
    });
    expect(engine.store.height).toBeGreaterThanOrEqual(4n);
  });

  test('instant ones come with a transaction, and one comes first', async () => {
    const { engine } = await home.started({ blocks: { mode: 'instant' } });
    const txs = ['a=1', 'b=2', 'c=3'].map(bytes);
    const committed = txs.map((tx) => engine.whenCommitted(txHash(tx)).committed);
    await Promise.all(txs.map((tx) => engine.checkTx(tx)));
    const heights = (await Promise.all(committed)).map(({ height }) => height);
    expect(new Set(heights).size).toBe(1);
    const later = engine.whenCommitted(txHash(bytes('d=4'))).committed;
    await engine.checkTx(bytes('d=4'));
    expect((await later).height).toBe(heights[0]! + 1n);
  });

  test('a proposal that the application itself refuses stops the engine', async () => {
    const failures: string[] = [];
    const { engine, app } = await home.started({ onFailure: ({ message }) => failures.push(message) });
    app.refusesProposals = true;
    await expect(engine.advance()).rejects.toThrow('refuses its own proposal');
    expect(failures).toHaveLength(1);
    expect(engine.store.height).toBe(0n);
    await expect(engine.advance()).rejects.toThrow('the engine has stopped');
    await expect(engine.checkTx(bytes('a=1'))).rejects.toThrow('the engine has stopped');
  });

  test('old ones go when the application says so', async () => {
    const { engine, app } = await home.started();
    await engine.advance(5);
    const gone = engine.store.meta(2n)!.blockId.hash;
    app.retainHeight = 4n;
    await engine.advance(1);
    expect(engine.store.base).toBe(4n);
    expect([engine.store.block(3n), engine.store.response(3n), engine.store.heightOf(gone)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(engine.store.block(4n)).toBeDefined();
    app.retainHeight = 100n;
    await engine.advance(1);
    expect([engine.store.base, engine.store.height]).toEqual([7n, 7n]);
  });
});

describe('what the application changes', () => {
  test('validators take effect two blocks later', async () => {
    const { engine, app } = await home.started();
    const pubKey = { ed25519: new Uint8Array(32).fill(9) };
    await engine.advance(1);
    app.nextValidatorUpdates = [{ pubKey, power: 4n }];
    await engine.advance(3);
    const sizes = [1n, 2n, 3n, 4n, 5n, 6n].map((height) => engine.store.validators(height)!.validators.length);
    expect(sizes).toEqual([1, 1, 1, 2, 2, 2]);
    expect(engine.store.block(4n)!.header.validatorsHash).toEqual(engine.store.validators(4n)!.hash());
    const flags = engine.store.commit(4n)!.signatures.map(({ blockIdFlag }) => blockIdFlag);
    expect(flags.sort()).toEqual([1, 2]);
    await engine.advance(1);
    expect(app.executed.at(-1)!.decidedLastCommit.votes).toHaveLength(2);
    expect(ValidatorSet.decode(engine.state.validators.encode()).hash()).toEqual(engine.state.validators.hash());
  });

  test('without its own key the engine stops', async () => {
    const { engine, app } = await home.started();
    app.nextValidatorUpdates = [
      { pubKey: { ed25519: new Uint8Array(32).fill(9) }, power: 4n },
      { pubKey: { ed25519: engine.validator.publicKey }, power: 0n },
    ];
    await expect(engine.advance()).rejects.toThrow('is not among the validators');
  });

  test('parameters take effect in the next block', async () => {
    const { engine, app } = await home.started();
    app.nextParams = { block: { maxBytes: 1_048_576n, maxGas: 5n } };
    await engine.advance(2);
    expect(engine.store.consensusParams(1n)!.block.maxGas).toBe(-1n);
    expect(engine.store.consensusParams(2n)!.block.maxGas).toBe(5n);
    expect(app.prepared[1]!.maxTxBytes).toBe(1_044_487n);
    await expect(engine.checkTx(bytes('gas=6'))).rejects.toThrow('gas wanted 6 is greater than max gas 5');
    app.nextParams = { block: { maxBytes: 0n, maxGas: 5n } };
    await expect(engine.advance()).rejects.toThrow('block.MaxBytes cannot be 0');
  });
});

describe('stopping', () => {
  test('waits for the block and can be repeated', async () => {
    const stopped: Promise<void>[] = [];
    const { engine } = await home.started({
      onStep: (step) => {
        if (step === 'finalized') stopped.push(engine.stop(), engine.stop());
      },
    });
    await engine.advance(1);
    await Promise.all(stopped);
    const again = await home.started();
    expect(again.engine.state.lastBlockHeight).toBe(1n);
    expect(toHex(again.engine.state.appHash)).toBe(again.app.saved.hash);
  });
});
