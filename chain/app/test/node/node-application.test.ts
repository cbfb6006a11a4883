import { CheckTxType, type RequestCheckTx, ResponseCheckTx } from 'cosmjs-types/tendermint/abci/types';
import { NodeApplication, type StateMachine, type Warming } from '../../src/node/node-application.ts';

/** Takes down what it is asked, in order. */
class Recorder implements Pick<StateMachine, 'checkTx'> {
  readonly checked: number[] = [];

  checkTx({ tx }: RequestCheckTx): ResponseCheckTx {
    const [first = 0] = tx;
    if (first === 99) throw new Error('a fault of ours');
    this.checked.push(first);
    return ResponseCheckTx.fromPartial({ log: `${first}` });
  }
}

/** Each batch is warm when the test says so. */
class HeldWarming implements Warming {
  readonly batches: number[][] = [];
  readonly release: (() => void)[] = [];

  warm(txs: readonly Uint8Array[]): Promise<void> {
    this.batches.push(txs.map(([first = 0]) => first));
    return new Promise((resolve) => this.release.push(resolve));
  }
}

const request = (first: number, type = CheckTxType.NEW): RequestCheckTx => ({ tx: Uint8Array.of(first), type });
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function node(preVerifier?: Warming, warmsChecks = true): { application: NodeApplication; app: Recorder } {
  const app = new Recorder();
  return { app, application: new NodeApplication({ app: app as unknown as StateMachine, preVerifier, warmsChecks }) };
}

describe('checks of transactions', () => {
  it('are answered at once where there is nothing to warm', () => {
    const { application } = node();
    expect(application.checkTx(request(1))).toMatchObject({ log: '1' });
    const warming = new HeldWarming();
    expect(node(warming, false).application.checkTx(request(2))).toMatchObject({ log: '2' });
    expect(warming.batches).toEqual([]);
  });

  it('that come together are one batch, and are carried out in their order when it is warm', async () => {
    const warming = new HeldWarming();
    const { application, app } = node(warming);
    const answers = [1, 2, 3].map((first) => application.checkTx(request(first)));
    await turn();
    expect(warming.batches).toEqual([[1, 2, 3]]);
    expect(app.checked).toEqual([]);
    warming.release[0]?.();
    expect((await Promise.all(answers)).map(({ log }) => log)).toEqual(['1', '2', '3']);
  });

  it('stay behind those that came before, though they are warm sooner', async () => {
    const warming = new HeldWarming();
    const { application, app } = node(warming);
    const first = application.checkTx(request(1));
    await turn();
    const second = application.checkTx(request(2));
    await turn();
    const recheck = application.checkTx(request(3, CheckTxType.RECHECK));
    await turn();
    warming.release[2]?.();
    warming.release[1]?.();
    await turn();
    expect(app.checked).toEqual([]);
    warming.release[0]?.();
    await Promise.all([first, second, recheck]);
    expect(app.checked).toEqual([1, 2, 3]);
    expect(warming.batches).toEqual([[1], [2], []]);
  });

  it('made again are answered at once when none waits', () => {
    const { application } = node(new HeldWarming());
    expect(application.checkTx(request(4, CheckTxType.RECHECK))).toMatchObject({ log: '4' });
  });

  it('that fail by a fault of ours fail alone', async () => {
    const warming = new HeldWarming();
    const { application, app } = node(warming);
    const answers = [1, 99, 2].map((first) => Promise.resolve(application.checkTx(request(first))));
    const settled = Promise.allSettled(answers);
    await turn();
    warming.release[0]?.();
    expect((await settled).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(app.checked).toEqual([1, 2]);
  });
});
