/** A genesis with many accounts, written as text by parts: as objects they would not fit into memory. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { homeAt } from '@mu/app/node/home';
import { mnemonic } from './side.ts';

const amountEach = 1000n;
const perWrite = 10_000;

/** Writes the accounts that the load program knows by its words to a file, as the SDK reads them. @returns the file */
export function writeAccounts(peerload: string, file: string, count: number, prefix: string, denom: string): string {
  const flags = ['-count', `${count}`, '-prefix', prefix, '-denom', denom, '-file', file];
  execFileSync(peerload, ['fill', ...flags], { env: { ...process.env, PEER_MNEMONIC: mnemonic } });
  return file;
}

/** Adds the accounts of such a file to the genesis of a home folder that has at least one already. */
export function addManyAccounts(home: string, accounts: string): void {
  const addresses = readFileSync(accounts, 'utf8').match(/(?<="address":")[^"]+/g) ?? [];
  const count = addresses.length;
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
          address: addresses[index],
          pub_key: null,
          account_number: `${first + index}`,
          sequence: '0',
        }),
      );
    } else if (part === '<balances>') {
      writeMany(out, count, (index) =>
        JSON.stringify({ address: addresses[index], coins: [{ denom: 'umu', amount: `${amountEach}` }] }),
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
