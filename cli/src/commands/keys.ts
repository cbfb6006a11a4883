/** mucli keys …: encrypted keys of accounts. */

import { writeFileSync } from 'node:fs';
import { table } from '@mu/lib/columns';
import { messageOf } from '@mu/lib/error-message';
import { usageError } from '../errors.ts';
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

/** A key for CI or helpers: a file that only its owner reads. The chain gets its public half with the deployment. */
export async function makeAccessKey(session: Session, file: string): Promise<void> {
  const { compressedPoint, generateTenantKey } = await import('@mu/client/tenant/p256');
  const key = generateTenantKey();
  try {
    writeFileSync(file, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw usageError(`${file} cannot be written: ${messageOf(error)}`);
  }
  const publicKey = Buffer.from(compressedPoint(key)).toString('base64');
  const access = { public_key: publicKey, scopes: ['read', 'logs'], expires_height: '0' };
  session.output.result({ file, access_key: access }, () =>
    [
      `${file} is the key; it may read and log once the deployment has it. An update sets all access keys at once:`,
      `  mucli tx deployment update-deployment --dseq DSEQ --access-keys '${JSON.stringify([access])}'`,
      `Whoever has it says --access-key ${file} --owner OWNER_OF_THE_DEPLOYMENT.`,
    ].join('\n'),
  );
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
