/**
 * Keys of accounts in encrypted files, one per name: a BIP-39 mnemonic under a password (scrypt, AES-256-GCM). A key file
 * is readable by its owner only and is never overwritten.
 */
import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';

/** scrypt's cost: 2^15 × 8 × 128 bytes = 32 MiB, some 60 ms. */
const scrypt = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 } as const;
const keyBytes = 32;
const minPasswordChars = 8;
const namePattern = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** What a key file holds. */
interface KeyFile {
  readonly version: 1;
  readonly name: string;
  readonly address: string;
  readonly kdf: {
    readonly name: 'scrypt';
    readonly salt: string;
    readonly n: number;
    readonly r: number;
    readonly p: number;
  };
  readonly cipher: { readonly name: 'aes-256-gcm'; readonly nonce: string; readonly tag: string };
  readonly ciphertext: string;
}

/** A key's name and address: what may be shown. */
export interface KeyInfo {
  readonly name: string;
  readonly address: string;
}

/** An error of the key store, with what to do about it. */
export class KeystoreError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'KeystoreError';
  }
}

export class Keystore {
  readonly #folder: string;
  readonly #prefix: string;

  /** @param folder of the key files, created at the first key; @param prefix of the chain's addresses */
  constructor(folder: string, prefix: string) {
    this.#folder = folder;
    this.#prefix = prefix;
  }

  list(): KeyInfo[] {
    if (!existsSync(this.#folder)) return [];
    return readdirSync(this.#folder)
      .filter((file) => file.endsWith('.json'))
      .sort()
      .map((file) => {
        const { name, address } = this.#read(file.slice(0, -'.json'.length));
        return { name, address };
      });
  }

  /** @throws KeystoreError when there is none of that name */
  show(name: string): KeyInfo {
    const { address } = this.#read(name);
    return { name, address };
  }

  /** Makes a key of 24 words. The words are returned once, to be written down. */
  async create(name: string, password: string): Promise<KeyInfo & { readonly mnemonic: string }> {
    const wallet = await DirectSecp256k1HdWallet.generate(24, { prefix: this.#prefix });
    return { ...(await this.import(name, wallet.mnemonic, password)), mnemonic: wallet.mnemonic };
  }

  /** @throws KeystoreError for words that are no mnemonic, a weak password or a name that is taken */
  async import(name: string, mnemonic: string, password: string): Promise<KeyInfo> {
    this.#checkNew(name, password);
    const words = mnemonic.trim().split(/\s+/).join(' ');
    const address = await this.#addressOf(words);
    const salt = randomBytes(16);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', derive(password, salt), nonce);
    cipher.setAAD(Buffer.from(`${name}/${address}`));
    const ciphertext = Buffer.concat([cipher.update(words, 'utf8'), cipher.final()]);
    const file: KeyFile = {
      version: 1,
      name,
      address,
      kdf: { name: 'scrypt', salt: salt.toString('base64'), n: scrypt.N, r: scrypt.r, p: scrypt.p },
      cipher: { name: 'aes-256-gcm', nonce: nonce.toString('base64'), tag: cipher.getAuthTag().toString('base64') },
      ciphertext: ciphertext.toString('base64'),
    };
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    writeFileSync(this.#path(name), `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    return { name, address };
  }

  /** The words of a key. @throws KeystoreError for a wrong password */
  export(name: string, password: string): string {
    const file = this.#read(name);
    const decipher = createDecipheriv(
      'aes-256-gcm',
      derive(password, Buffer.from(file.kdf.salt, 'base64')),
      Buffer.from(file.cipher.nonce, 'base64'),
    );
    decipher.setAAD(Buffer.from(`${file.name}/${file.address}`));
    decipher.setAuthTag(Buffer.from(file.cipher.tag, 'base64'));
    try {
      return Buffer.concat([decipher.update(Buffer.from(file.ciphertext, 'base64')), decipher.final()]).toString(
        'utf8',
      );
    } catch {
      throw new KeystoreError(`the password of key "${name}" is wrong, or its file was changed`);
    }
  }

  /** @throws KeystoreError when there is none of that name */
  delete(name: string): void {
    this.#read(name);
    rmSync(this.#path(name));
  }

  /** A wallet that signs with the key. @throws KeystoreError */
  async unlock(name: string, password: string): Promise<DirectSecp256k1HdWallet> {
    return DirectSecp256k1HdWallet.fromMnemonic(this.export(name, password), { prefix: this.#prefix });
  }

  #path(name: string): string {
    return join(this.#folder, `${name}.json`);
  }

  #read(name: string): KeyFile {
    if (!namePattern.test(name) || !existsSync(this.#path(name))) {
      const known = existsSync(this.#folder)
        ? readdirSync(this.#folder)
            .filter((file) => file.endsWith('.json'))
            .map((file) => file.slice(0, -5))
        : [];
      throw new KeystoreError(
        `there is no key "${name}" in ${this.#folder}; ${known.length === 0 ? 'make one with `mucli keys add NAME`' : `there are: ${known.sort().join(', ')}`}`,
      );
    }
    return JSON.parse(readFileSync(this.#path(name), 'utf8')) as KeyFile;
  }

  #checkNew(name: string, password: string): void {
    if (!namePattern.test(name)) {
      throw new KeystoreError(`"${name}" is no name of a key: use up to 64 of a–z, 0–9, - and _`);
    }
    if (password.length < minPasswordChars) {
      throw new KeystoreError(`a password has at least ${minPasswordChars} characters`);
    }
    if (existsSync(this.#path(name))) {
      throw new KeystoreError(
        `there is a key "${name}" already: choose another name, or delete it with \`mucli keys delete ${name}\``,
      );
    }
  }

  async #addressOf(mnemonic: string): Promise<string> {
    try {
      const wallet = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: this.#prefix });
      return (await wallet.getAccounts())[0]?.address ?? '';
    } catch {
      throw new KeystoreError('these words are no BIP-39 mnemonic: 12 or 24 English words with a valid checksum');
    }
  }
}

function derive(password: string, salt: Buffer): Buffer {
  return scryptSync(password.normalize('NFKC'), salt, keyBytes, scrypt);
}
