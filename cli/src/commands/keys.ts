/** mucli keys …: encrypted keys of accounts. */

import { usageError } from '../errors.ts';
import { table } from '../output.ts';
import type { Session } from '../session.ts';

export async function addKey(session: Session, name: string): Promise<void> {
  const keys = await session.keys();
  const made = await keys.create(name, await newPassword(session, name));
  session.output.result(made, () =>
    [
      `${made.name}  ${made.address}`,
      '',
      'Write these words down: they are the key, and are shown only now.',
      '',
      made.mnemonic,
    ].join('\n'),
  );
}

export async function importKey(session: Session, name: string, mnemonicFile: string | undefined): Promise<void> {
  const keys = await session.keys();
  const mnemonic = await readMnemonic(mnemonicFile);
  const info = await keys.import(name, mnemonic, await newPassword(session, name));
  session.output.result(info, () => `${info.name}  ${info.address}`);
}

export async function exportKey(session: Session, name: string): Promise<void> {
  const keys = await session.keys();
  const { address } = keys.show(name);
  const mnemonic = keys.export(name, await session.password(`Password of key ${name}`));
  session.output.result({ name, address, mnemonic }, () => mnemonic);
}

export async function listKeys(session: Session): Promise<void> {
  const all = (await session.keys()).list();
  session.output.result(all, () =>
    all.length === 0
      ? 'no keys yet: make one with `mucli keys add NAME`'
      : table(
          ['NAME', 'ADDRESS'],
          all.map(({ name, address }) => [name, address]),
        ),
  );
}

export async function showKey(session: Session, name: string): Promise<void> {
  const info = (await session.keys()).show(name);
  session.output.result(info, () => info.address);
}

export async function deleteKey(session: Session, name: string, sure: boolean): Promise<void> {
  const keys = await session.keys();
  const info = keys.show(name);
  if (!sure) throw usageError(`this deletes the only copy of key ${name} (${info.address}) on this machine: say --yes`);
  keys.delete(name);
  session.output.result(info, () => `deleted ${name}`);
}

/** A new password, asked twice where a person types it. */
async function newPassword(session: Session, name: string): Promise<string> {
  const first = await session.password(`Password for the new key ${name}`);
  if (session.config.password_file !== '') return first;
  if ((await session.password('The same once more')) !== first) throw usageError('the two passwords differ');
  return first;
}

async function readMnemonic(file: string | undefined): Promise<string> {
  if (file !== undefined) {
    const { readFile } = await import('node:fs/promises');
    return readFile(file === '-' ? '/dev/stdin' : file, 'utf8');
  }
  if (!process.stdin.isTTY)
    throw usageError('the words are needed: name a file with --mnemonic-file, - for standard input');
  const { input } = await import('@inquirer/prompts');
  return input({ message: 'The words of the key' });
}
