/**
 * Requests to the RPC, changed by their grammar and byte by byte: each has an answer that is JSON-RPC, whatever it asks.
 * 50,000 inputs; `RPC_FUZZ_INPUTS=1000000` runs as many, `RPC_FUZZ_SEED` others.
 */
import { Damage } from '../../../abci/test/damage.ts';
import { answerBody, answerUri } from '../../src/rpc/calls.ts';
import type { RpcContext } from '../../src/rpc/method.ts';
import { methods } from '../../src/rpc/methods.ts';
import { bytes, Home } from '../engine/harness.ts';

const inputs = Number(process.env['RPC_FUZZ_INPUTS'] ?? 50_000);
const seed = Number(process.env['RPC_FUZZ_SEED'] ?? 1);
const longMs = 120_000 + inputs * 5;

/** What may stand where a value is expected. */
const values: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1,
  2,
  '1',
  '-5',
  '99999999999999999999',
  1e300,
  '',
  'a=1',
  'dHg=',
  '0x00',
  '"x"',
  'store/bank/key',
  "tx.height=1 AND a CONTAINS 'b'",
  "tx.height >= AND 'x",
  [],
  [1, '2'],
  {},
  { height: '1' },
  'z'.repeat(3_000),
  '\u0000\ud800',
];

class Requests {
  readonly #damage: Damage;
  readonly #names = Object.keys(methods).filter((name) => name !== 'broadcast_tx_commit');

  constructor(from: number) {
    this.#damage = new Damage(from);
  }

  below(bound: number): number {
    return this.#damage.below(bound);
  }

  body(): string {
    const text = JSON.stringify(this.below(8) === 0 ? [this.#request(), this.#request()] : this.#request());
    return this.below(3) === 0 ? this.#damage.damage(Buffer.from(text)).toString() : text;
  }

  uri(): [method: string, params: URLSearchParams] {
    const name = this.#name();
    const params = Object.keys(methods[name]?.params ?? {}).map((key): [string, string] => [key, `${this.#value()}`]);
    return [name, new URLSearchParams(params.slice(0, this.below(4)))];
  }

  #request(): object {
    const name = this.#name();
    const keys = Object.keys(methods[name]?.params ?? {});
    const named = Object.fromEntries(keys.slice(0, this.below(5)).map((key) => [key, this.#value()]));
    const params = [named, keys.map(() => this.#value()), this.#value(), undefined][this.below(4)];
    const id = [7, 'id', -1, null, undefined, {}][this.below(6)];
    return { jsonrpc: this.below(9) === 0 ? this.#value() : '2.0', id, method: name, params };
  }

  #name(): string {
    return this.below(20) === 0 ? String(this.#value()) : (this.#names[this.below(this.#names.length)] as string);
  }

  #value(): unknown {
    return values[this.below(values.length)];
  }
}

/** Whether a text is an answer, or several. */
function isAnswer(text: string): boolean {
  // To what has no id nothing is answered.
  if (text === '') return true;
  const parsed = JSON.parse(text) as unknown;
  return (Array.isArray(parsed) ? parsed : [parsed]).every(
    (one: { jsonrpc?: unknown }) => one.jsonrpc === '2.0' && ('result' in one || 'error' in one),
  );
}

test(
  `${inputs} requests are answered, and the node goes on`,
  async () => {
    const home = new Home();
    const { engine } = await home.started({ mempool: { size: 100, maxTxsBytes: 1_000_000, maxTxBytes: 10_000 } });
    try {
      const context: RpcContext = {
        engine,
        nodeId: 'ab'.repeat(20),
        moniker: 'fuzz',
        rpcAddress: () => 'tcp://127.0.0.1:1',
        commitTimeoutMs: 1,
      };
      await engine.checkTx(bytes('a=1'));
      await engine.advance(3);
      const requests = new Requests(seed);
      const ends = { results: 0, errors: 0 };
      for (let at = 0; at < inputs; at += 1) {
        const asUri = requests.below(4) === 0;
        const answer = asUri ? await answerUri(context, ...requests.uri()) : await answerBody(context, requests.body());
        const text = answer?.text ?? '';
        if (!isAnswer(text)) throw new Error(`input ${at} of seed ${seed} is answered with ${text.slice(0, 500)}`);
        if (text.includes('"error"')) ends.errors += 1;
        else if (text !== '') ends.results += 1;
        if (at % 5_000 === 0) await engine.advance(1);
      }
      expect(ends.results).toBeGreaterThan(inputs / 20);
      expect(ends.errors).toBeGreaterThan(inputs / 5);
      expect((await answerBody(context, '{"jsonrpc":"2.0","id":1,"method":"status"}')).text).toContain('"kv-1"');
    } finally {
      await home.remove();
    }
  },
  longMs,
);
