/** `mud keys`, `mud comet`: the keys of the node itself. Accounts' keys are `mucli`'s. Secrets are never printed. */
import { existsSync } from 'node:fs';
import { toHex } from '@mu/lib/bytes';
import type { Command } from 'commander';
import type { PrivateValidator } from '../engine/private-validator.ts';
import type { Home } from '../node/home.ts';
import { homeOf, print, type Register } from './shared.ts';

export const registerKeys: Register = (mud) => {
  const keys = mud.command('keys').description('the keys of the node');
  keys.command('show').description('node id, validator address and public key').action(showKeys);
  keys
    .command('add <node|validator>')
    .description('make a key that is missing; one that exists is never overwritten')
    .action(addKey);
  const comet = mud.command('comet').description('the node as CometBFT knows it');
  comet.command('show-node-id').description('its id in the peer-to-peer network').action(showNodeId);
  comet.command('show-validator').description('the public key of its validator, as JSON').action(showValidator);
  comet.command('show-address').description('the address of its validator, in hex').action(showAddress);
};

async function showKeys(_flags: object, command: Command): Promise<void> {
  const home = homeOf(command);
  const validator = await validatorOf(home);
  print({
    node_id: await nodeIdOf(home),
    validator: addressText(validator),
    public_key: Buffer.from(validator.publicKey).toString('base64'),
  });
}

async function addKey(which: string, _flags: object, command: Command): Promise<void> {
  const { loadOrCreateNodeKey, loadOrCreateValidator } = await import('../engine/private-validator.ts');
  const home = homeOf(command);
  if (which !== 'node' && which !== 'validator') throw new Error(`"${which}" is no key of a node: node or validator`);
  const file = which === 'node' ? home.nodeKey : home.validatorKey;
  if (existsSync(file)) throw new Error(`${file} exists: move it away first, and keep it`);
  if (which === 'node') {
    print({ node_id: loadOrCreateNodeKey(file).id });
    return;
  }
  // A new key begins with nothing signed; the old one's record would not be its own.
  if (existsSync(home.validatorState))
    throw new Error(`${home.validatorState} is what the old key signed last: move it away together with that key`);
  const validator = loadOrCreateValidator({ key: file, state: home.validatorState });
  print({ validator: addressText(validator), public_key: Buffer.from(validator.publicKey).toString('base64') });
}

async function showNodeId(_flags: object, command: Command): Promise<void> {
  process.stdout.write(`${await nodeIdOf(homeOf(command))}\n`);
}

async function showValidator(_flags: object, command: Command): Promise<void> {
  const { validatorKeyJson } = await import('../node/genesis-validators.ts');
  print(validatorKeyJson((await validatorOf(homeOf(command))).publicKey));
}

async function showAddress(_flags: object, command: Command): Promise<void> {
  process.stdout.write(`${addressText(await validatorOf(homeOf(command)))}\n`);
}

function addressText({ address }: PrivateValidator): string {
  return toHex(address).toUpperCase();
}

async function validatorOf(home: Home): Promise<PrivateValidator> {
  requireFile(home.validatorKey);
  const { loadOrCreateValidator } = await import('../engine/private-validator.ts');
  return loadOrCreateValidator({ key: home.validatorKey, state: home.validatorState });
}

async function nodeIdOf(home: Home): Promise<string> {
  requireFile(home.nodeKey);
  const { loadOrCreateNodeKey } = await import('../engine/private-validator.ts');
  return loadOrCreateNodeKey(home.nodeKey).id;
}

/** Whoever only looks makes nothing. */
function requireFile(file: string): void {
  if (!existsSync(file)) throw new Error(`${file} does not exist: make a home with \`mud init\``);
}
