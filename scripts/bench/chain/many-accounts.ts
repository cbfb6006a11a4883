/** A genesis with many accounts, written as text by parts: as objects they would not fit into memory. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { homeAt } from '@mu/app/node/home';
import { toBech32 } from '@mu/lib/bech32';

const amountEach = 1_000_000n;
const perWrite = 10_000;

/** The address of the nth of these accounts; nobody has its key. */
export const manyAddress = (index: number): string =>
  toBech32('mu', createHash('sha256').update(`account ${index}`).digest().subarray(0, 20));

/** Adds accounts to the genesis of a home folder that has at least one already. */
export function addManyAccounts(home: string, count: number): void {
  const file = homeAt(home).genesis;
  const genesis = JSON.parse(readFileSync(file, 'utf8')) as {
    app_state: {
      auth: { accounts: { account_number: string }[] };
      bank: { balances: unknown[]; supply: { denom: string; amount: string }[] };
    };
  };
  const { auth, bank } = genesis.app_state;
  const supply = bank.supply.find(({ denom }) => denom === 'umu');
  if (supply === undefined) throw new Error('the genesis has no coins yet');
  supply.amount = `${BigInt(supply.amount) + amountEach * BigInt(count)}`;
  const first = auth.accounts.length;
  const parts = JSON.stringify(genesis)
    .replace('"accounts":[', '"accounts":[<accounts>')
    .replace('"balances":[', '"balances":[<balances>')
    .split(/(<accounts>|<balances>)/);
  const out = openSync(file, 'w');
  for (const part of parts) {
    if (part === '<accounts>') {
      writeMany(out, count, (index) =>
        JSON.stringify({
          '@type': '/cosmos.auth.v1beta1.BaseAccount',
          address: manyAddress(index),
          pub_key: null,
          account_number: `${first + index}`,
          sequence: '0',
        }),
      );
    } else if (part === '<balances>') {
      writeMany(out, count, (index) =>
        JSON.stringify({ address: manyAddress(index), coins: [{ denom: 'umu', amount: `${amountEach}` }] }),
      );
    } else writeSync(out, part);
  }
  closeSync(out);
}

/** Elements of a list that others follow. */
function writeMany(out: number, count: number, element: (index: number) => string): void {
  for (let at = 0; at < count; at += perWrite) {
    const length = Math.min(perWrite, count - at);
    writeSync(out, Array.from({ length }, (_, index) => `${element(at + index)},`).join(''));
  }
}
