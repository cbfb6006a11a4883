/**
 * The measure: the Go SDK's own answers (scripts/vectors/bank.ts). Codes, texts, gas, data, events and every key and value
 * of both stores after every block.
 */
import { GoldenChain, type Result, readVector, StoreStates } from './golden-chain.ts';

const vector = readVector('sends');

/** Where this chain answers otherwise, on purpose: texts that the SDK gets wrong, and gas that is not a transaction's. */
const deviations: Readonly<Record<string, Partial<Result>>> = {
  // The SDK prints the raw bytes of the address.
  'signer without an account': {
    log: 'fee payer address: cosmos12ecyuddg4wlnhztusgju5zxxjgznkz7fsf57kq does not exist: unknown address',
  },
  'the payer has no account': {
    log: 'fee payer address: cosmos12ecyuddg4wlnhztusgju5zxxjgznkz7fsf57kq does not exist: unknown address',
  },
  // One text for a foreign prefix everywhere, where the SDK has two.
  'receiver of another chain': {
    log: 'failed to execute message; message index: 0: invalid to address: invalid Bech32 prefix; expected cosmos, got other: invalid address',
  },
  // The SDK shows what the beginning of the block had used.
  'no message': { gas_used: 0 },
};

function expected({ name, result }: { readonly name: string; readonly result: Result }): Result {
  return { ...result, ...deviations[name] };
}

describe('the same as the Cosmos SDK', () => {
  const chain = new GoldenChain(vector);
  const states = new StoreStates(vector.start);
  chain.init();

  for (const step of vector.steps) {
    if (step.kind === 'block') {
      it(`block ${step.height}: ${step.txs[0]?.name}`, () => {
        const txs = step.txs.map(({ tx }) => tx);
        expect(chain.block(step, txs)).toEqual(step.txs.map(expected));
        states.apply(step.changes);
        expect(chain.dump('acc')).toEqual(states.acc);
        expect(chain.dump('bank')).toEqual(states.bank);
      });
    } else {
      it(step.name, () => {
        expect(step.kind === 'simulate' ? chain.simulate(step.tx) : chain.check(step.tx)).toEqual(expected(step));
      });
    }
  }

  for (const query of vector.queries) {
    it(`query: ${query.name}`, () => {
      const { code, codespace, log, value } = query;
      expect(chain.query(query)).toEqual({ code, codespace, log, value });
    });
  }

  it('exports a genesis that leads to the same state', () => {
    const exported = chain.app.exportState();
    const again = new GoldenChain({ ...vector, genesis: { auth: exported['auth']!, bank: exported['bank']! } });
    again.init();
    again.block({ height: vector.first_height, time: '2027-01-01T00:00:00Z' }, []);
    // The fees of the last block are swept in the next one: everything else is as it was.
    chain.block({ height: nextHeight(), time: '2027-01-01T00:00:00Z' }, []);
    expect(again.dump('acc')).toEqual(chain.dump('acc'));
    expect(again.dump('bank')).toEqual(chain.dump('bank'));
  });
});

function nextHeight(): number {
  const heights = vector.steps.map((step) => (step.kind === 'block' ? step.height : 0));
  return Math.max(...heights) + 1;
}

describe('remembered signatures', () => {
  it('change nothing but the work', () => {
    const with1000 = new GoldenChain(vector, 1_000);
    const without = new GoldenChain(vector, 0);
    with1000.init();
    without.init();
    for (const step of vector.steps) {
      if (step.kind !== 'block') continue;
      for (const { tx } of step.txs) expect(with1000.check(tx)).toEqual(without.check(tx));
      const txs = step.txs.map(({ tx }) => tx);
      expect(with1000.block(step, txs)).toEqual(without.block(step, txs));
      expect(with1000.store.last.appHash).toEqual(without.store.last.appHash);
    }
    expect(with1000.signatures.computed).toBeLessThan(without.signatures.computed * 0.6);
  });
});
