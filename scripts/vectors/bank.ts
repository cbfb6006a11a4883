/**
 * Makes x/bank/test/vectors/sends.json: what the Go SDK 0.53 answers to a list of transactions, and which keys of its
 * stores `acc` and `bank` each block changes. The tests of x/bank run the same genesis and transactions.
 *
 *   node scripts/vectors/bank.ts path/to/peerd      (or PEERD=path/to/peerd)
 *
 * `peerd` is a small chain of the Cosmos SDK 0.53.8 with the command `oracle`, which runs blocks given as JSON lines in
 * memory. The file is the same in every run: keys come from the well-known mnemonic, times are fixed.
 */
import { writeFileSync } from 'node:fs';
import { fromBech32 } from '@mu/lib/bech32';
import { fromHex, toBase64, toHex } from '@mu/lib/bytes';
import { BaseAccount } from 'cosmjs-types/cosmos/auth/v1beta1/auth';
import { Any } from 'cosmjs-types/google/protobuf/any';
import { bankSteps, type CaseTx, type Step } from './bank-cases.ts';
import { bankQueries } from './bank-queries.ts';
import { Oracle, type OracleTx, peerdPath } from './oracle.ts';
import { peerGenesis } from './peer-genesis.ts';
import { signTx, type Wallet, walletAt } from './wallets.ts';

const chainId = 'vectors-1';
const prefix = 'cosmos';
const maxGas = 500_000n;
const minGasPrices = '0.001stake';
const target = new URL('../../x/bank/test/vectors/sends.json', import.meta.url);

type Dump = Map<string, string>;
/** key → value or null where it was deleted, both in hex */
type Changes = Record<string, string | null>;

const [validator, rich, poor, third, stranger] = (await Promise.all(
  [0, 1, 2, 3, 4].map((index) => walletAt(index, prefix)),
)) as [Wallet, Wallet, Wallet, Wallet, Wallet];

const funded = [
  { wallet: validator, coins: [{ denom: 'stake', amount: '1000000000' }] },
  {
    wallet: rich,
    coins: [
      { denom: 'atoken', amount: '1000' },
      { denom: 'btoken', amount: '1000' },
      { denom: 'ctoken', amount: '1000' },
      { denom: 'frozen', amount: '1000' },
      { denom: 'stake', amount: '100000000' },
    ],
  },
  { wallet: poor, coins: [{ denom: 'stake', amount: '5000' }] },
  { wallet: third, coins: [{ denom: 'stake', amount: '5000' }] },
];
funded.forEach(({ wallet }, at) => {
  wallet.accountNumber = BigInt(at);
});

const peerd = peerdPath();
const genesis = await peerGenesis(peerd, {
  chainId,
  prefix,
  maxGas,
  genesisTime: '2026-01-01T00:00:00Z',
  accounts: funded,
  validator,
  denomMetadata: [
    {
      description: 'A token',
      denom_units: [
        { denom: 'atoken', exponent: 0, aliases: ['small'] },
        { denom: 'token', exponent: 6, aliases: [] },
      ],
      base: 'atoken',
      display: 'token',
      name: 'Token',
      symbol: 'TOK',
      uri: '',
      uri_hash: '',
    },
  ],
  sendEnabled: [
    { denom: 'btoken', enabled: true },
    { denom: 'frozen', enabled: false },
  ],
});

const oracle = new Oracle(peerd, ['--minimum-gas-prices', minGasPrices]);
await oracle.ask({ init: genesis });
const first = await oracle.ask({ block: {} });
const exported = (await oracle.ask({ export: true })).genesis.app_state;
const stores: Record<'acc' | 'bank', Dump> = { acc: new Map(), bank: new Map() };
const start = { acc: await changesOf('acc'), bank: await changesOf('bank') };

readSequences();
const steps: object[] = [];
const cast = { rich, poor, third, stranger, prefix };
for (const step of bankSteps(cast)) {
  steps.push(step.kind === 'block' ? await runBlock(step) : await runQuestion(step));
}
const queries: object[] = [];
for (const { name, path, data } of bankQueries(cast)) {
  const query = { path, data: toBase64(data) };
  const { code, codespace, log, value } = await oracle.ask({ query });
  queries.push({ name, ...query, code, codespace, log, value });
}
oracle.close();

const vector = {
  made_by: 'scripts/vectors/bank.ts with Cosmos SDK 0.53.8',
  chain_id: chainId,
  bech32_prefix: prefix,
  max_gas: maxGas.toString(),
  min_gas_prices: minGasPrices,
  // The Go chain has made block 1; ours begins with its state.
  first_height: first.height + 1,
  genesis: { auth: exported.auth, bank: exported.bank },
  start,
  steps,
  queries,
};
writeFileSync(target, `${JSON.stringify(vector, null, 1)}\n`);
console.log(`${steps.length} steps written`);

/** What has changed in a store since it was last asked for. */
async function changesOf(name: 'acc' | 'bank'): Promise<Changes> {
  const { pairs } = (await oracle.ask({ dump: name })) as { pairs: [string, string][] };
  const now = new Map(pairs);
  const before = stores[name];
  const changes: Changes = {};
  for (const [key, value] of now) if (before.get(key) !== value) changes[key] = value;
  for (const key of before.keys()) if (!now.has(key)) changes[key] = null;
  stores[name] = now;
  return changes;
}

async function sign({ parts }: CaseTx): Promise<string> {
  return toBase64(await signTx({ ...parts, chainId }));
}

async function runBlock(step: Step & { kind: 'block' }): Promise<object> {
  const txs: string[] = [];
  for (const tx of step.txs) {
    txs.push(await sign(tx));
    for (const signer of tx.parts.signers) signer.sequence += 1n;
  }
  const answer = await oracle.ask({ block: { txs } });
  const results = step.txs.map(({ name }, at) => ({ name, tx: txs[at], result: compact(answer.txs[at]) }));
  const changes = { acc: await changesOf('acc'), bank: await changesOf('bank') };
  readSequences();
  return { kind: 'block', height: answer.height, time: answer.time, txs: results, changes };
}

async function runQuestion(step: Exclude<Step, { kind: 'block' }>): Promise<object> {
  const tx = await sign(step.tx);
  const question = step.kind === 'simulate' ? { simulate: tx } : { check: tx, recheck: step.kind === 'recheck' };
  const answer = await oracle.ask(question, 'return');
  const result = answer.error === undefined ? compact(answer) : answer;
  // What a check has accepted counts for the next one, until a block comes.
  if (step.kind === 'check' && answer.code === 0) for (const signer of step.tx.parts.signers) signer.sequence += 1n;
  return { kind: step.kind, name: step.tx.name, tx, result };
}

function compact(tx: OracleTx): object {
  const { code, codespace, log, gas_wanted, gas_used, data, events } = tx;
  const listed = events.map(({ type, attributes }) => [type, attributes.map(({ key, value }) => [key, value])]);
  return { code, codespace, log, gas_wanted, gas_used, data, events: listed };
}

/** The wallets' sequences as the chain has them now. */
function readSequences(): void {
  for (const wallet of [validator, rich, poor, third]) {
    const key = `01${toHex(fromBech32(wallet.address, prefix))}`;
    const any = Any.decode(fromHex(stores.acc.get(key) as string));
    wallet.sequence = BaseAccount.decode(any.value).sequence;
  }
}
