import { expect, test } from '@jest/globals';
import { type Due, Model, type Outcome, type Transaction } from '../model/model.ts';
import { simulate } from '../run.ts';

/** A difference that a model with a fault leads to. */
function found(modelOf: (options: ConstructorParameters<typeof Model>[0]) => Model): object {
  const result = simulate({ messages: 2_000, seed: 5, modelOf });
  expect(result).toHaveProperty('path');
  return result;
}

class RichModel extends Model {
  override end(): void {
    super.end();
    const [account] = this.world.lists.account;
    if (this.world.height === 20n && account) this.world.change(account, { balance: account.balance + 1n });
  }
}

class IdleModel extends Model {
  override begin(height: bigint): Due {
    const before = this.world.lists.lease.length;
    const due = super.begin(height);
    return this.world.lists.lease.length > before ? [...due].reverse().slice(1) : due;
  }
}

class TolerantModel extends Model {
  override deliver(transaction: Transaction): Outcome {
    const outcome = super.deliver(transaction);
    return outcome.codespace === 'market' ? { ...outcome, code: outcome.code + 1 } : outcome;
  }
}

class GenerousModel extends Model {
  override deliver(transaction: Transaction): Outcome {
    const outcome = super.deliver(transaction);
    const responses = outcome.responses.map((one) => ('paid' in one ? { ...one, paid: '1000000' } : one));
    return { ...outcome, responses };
  }
}

class ForgetfulModel extends Model {
  override end(): void {
    super.end();
    const lease = this.world.lists.lease.find(({ leave }) => leave !== 0n);
    if (lease) this.world.change(lease, { leave: lease.leave + 1n });
  }
}

class FaultyModel extends Model {
  override end(): void {
    if (this.world.height === 30n) throw new Error('a fault');
    super.end();
  }
}

test.each([
  ['a balance', RichModel, { path: expect.stringMatching(/^bank\[02/), block: '20' }],
  ['what a block begins with', IdleModel, { path: expect.stringContaining('what the block begins with') }],
  ['a code', TolerantModel, { path: expect.stringMatching(/^transaction \d+\.code$/) }],
  ['an answer', GenerousModel, { path: expect.stringMatching(/^transaction \d+\.responses\[0\].*\.paid$/) }],
  ['a record', ForgetfulModel, { path: expect.stringMatching(/^mu\.market\.v1\.Lease\[30.*leaveHeight$/) }],
  ['a fault', FaultyModel, { path: 'thrown', block: '30', real: expect.stringContaining('a fault') }],
])('a difference is found: %s', (_what, Broken, difference) => {
  expect(found((options) => new Broken(options))).toMatchObject({ seed: 5, chain: 0, ...difference });
});

test('the seed says everything', () => {
  const run = (seed: number) => simulate({ messages: 150, seed });
  expect(run(7)).toEqual(run(7));
  expect(run(7)).not.toEqual(run(8));
});

test('a chain can be had again without those before it', () => {
  const modelOf = (options: ConstructorParameters<typeof Model>[0]) => new RichModel(options);
  const options = { messages: 400, chainMessages: 200, seed: 9, modelOf };
  expect(simulate({ ...options, firstChain: 1 })).toMatchObject({ chain: 1, block: '20' });
});
