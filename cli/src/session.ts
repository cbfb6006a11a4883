/** What a command works with: its config, its output, and on demand a connection and a signer. Heavy parts load lazily. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ChainClient } from '@mu/client/chain/chain-client';
import type { Sender } from '@mu/client/chain/sender';
import type { Keystore } from '@mu/client/keys/keystore';
import type { PinnableViews, PinnedState } from '@mu/client/light/connect';
import { messageOf } from '@mu/lib/error-message';
import type { Config } from './config.ts';
import { CliError, usageError } from './errors.ts';
import type { Output } from './output.ts';
import type { TenantSigner } from './tenant-wallet.ts';

type Wallet = Awaited<ReturnType<Keystore['unlock']>>;

/** An older view of the chain is not taken for the present one. */
const maxViewAgeMs = 10 * 60_000;

export class Session {
  readonly config: Config;
  readonly output: Output;
  #client: ChainClient | undefined;
  #views: Promise<PinnableViews | undefined> | undefined;
  #wallet: Wallet | undefined;
  #tenant: TenantSigner | undefined;

  constructor(config: Config, output: Output) {
    this.config = config;
    this.output = output;
  }

  async keys(): Promise<Keystore> {
    const { Keystore } = await import('@mu/client/keys/keystore');
    return new Keystore(this.config.keys_folder, this.config.bech32_prefix);
  }

  /** @throws CliError when nothing answers, or the chain is another one than the config says */
  async client(): Promise<ChainClient> {
    if (this.#client !== undefined) return this.#client;
    const { ChainClient } = await import('@mu/client/chain/chain-client');
    const { node, chain_id: wanted } = this.config;
    try {
      this.#client = await ChainClient.connect(node);
    } catch (error) {
      const why = messageOf(error);
      throw new CliError(
        `no node answers at ${node} (${why}): start one with \`mud start\`, or name another with --node`,
      );
    }
    if (wanted !== '' && wanted !== this.#client.chainId) {
      throw new CliError(
        `the node at ${node} is of chain ${this.#client.chainId}, not ${wanted}: check --node and --chain-id`,
      );
    }
    return this.#client;
  }

  /**
   * The chain as far as it can be proved: records asked for one by one are, lists are not. With `trust_node` as the node
   * tells it.
   * @throws CliError when no root of trust is named; LightError when the node cannot prove what it says
   */
  async verified(): Promise<ChainClient> {
    const views = await this.#proved();
    return views === undefined ? this.client() : views.newest;
  }

  /**
   * Proved records that agree with one another, as of one block; undefined where the node is believed.
   * @throws CliError when no root of trust is named; LightError when the node cannot prove what it says
   */
  async pinned(): Promise<PinnedState | undefined> {
    return (await this.#proved())?.pinned();
  }

  #proved(): Promise<PinnableViews | undefined> {
    this.#views ??= this.#openViews();
    return this.#views;
  }

  async #openViews(): Promise<PinnableViews | undefined> {
    const { config } = this;
    const client = await this.client();
    if (config.trust_node === 'true') {
      this.output.step(`not verified: ${config.node} is believed (trust_node)`);
      return undefined;
    }
    const { hasRoot, openProvedViews } = await import('@mu/client/light/connect');
    const trust = {
      genesisHash: config.trust_genesis_hash,
      height: BigInt(config.trust_height),
      hash: config.trust_hash,
      periodHours: Number(config.trust_period_hours),
      witnesses: config.witnesses === '' ? [] : config.witnesses.split(','),
    };
    if (!hasRoot(trust)) {
      throw usageError(
        'nothing is known to check the node by: write trust_genesis_hash, or trust_height and trust_hash, into the config (`mucli trust` shows what the node says they are), or believe the node with --trust-node',
      );
    }
    const folder = join(config.home, 'light');
    return openProvedViews({ rpcUrl: config.node, client, trust, folder, maxAgeMs: maxViewAgeMs });
  }

  /** The name of the key that signs. @throws CliError when none is named and there is not exactly one */
  async keyName(): Promise<string> {
    if (this.config.key !== '') return this.config.key;
    const all = (await this.keys()).list();
    if (all.length === 1 && all[0] !== undefined) return all[0].name;
    const names = all.map(({ name }) => name).join(', ');
    throw usageError(
      all.length === 0
        ? 'there is no key: make one with `mucli keys add NAME`'
        : `which key signs? Say --key NAME; there are: ${names}`,
    );
  }

  /** The address of the key that signs. */
  async address(): Promise<string> {
    return (await this.keys()).show(await this.keyName()).address;
  }

  /** The password from the file that the config names, or asked for. */
  async password(question: string): Promise<string> {
    const { password_file: file } = this.config;
    if (file !== '') {
      try {
        return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      } catch {
        throw usageError(`the password file ${file} cannot be read`);
      }
    }
    if (!process.stdin.isTTY) throw usageError('a password is needed: name a file with --password-file');
    const { password } = await import('@inquirer/prompts');
    return password({ message: question, mask: true });
  }

  /** A wallet of the key that signs; its password is asked for once. */
  async wallet(): Promise<Wallet> {
    if (this.#wallet !== undefined) return this.#wallet;
    const name = await this.keyName();
    this.#wallet = await (await this.keys()).unlock(name, await this.password(`Password of key ${name}`));
    return this.#wallet;
  }

  /** What proves the user to providers: his account, or the access key that the config names. */
  async tenantWallet(): Promise<TenantSigner> {
    this.#tenant ??= await this.#openTenant();
    return this.#tenant;
  }

  async #openTenant(): Promise<TenantSigner> {
    const { AccessKeySigner, TenantWallet } = await import('./tenant-wallet.ts');
    if (this.config.access_key !== '') return AccessKeySigner.read(this.config.access_key);
    return new TenantWallet((await this.wallet()).mnemonic, this.config.bech32_prefix);
  }

  async sender(): Promise<Sender> {
    const [{ Sender }, { createRegistry }] = await Promise.all([
      import('@mu/client/chain/sender'),
      import('@mu/client/chain/registry'),
    ]);
    const client = await this.client();
    return Sender.create({
      client,
      signer: await this.wallet(),
      registry: createRegistry(),
      gasPriceMicro: toMicro(this.config.gas_price),
      feeDenom: this.config.denom,
    });
  }

  close(): void {
    this.#client?.disconnect();
  }
}

/** A decimal with at most 6 places in millionths. */
function toMicro(decimal: string): bigint {
  const [whole = '0', fraction = ''] = decimal.split('.');
  return BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(6, '0'));
}
