/** The provider's own files: keys, password, certificates, data folder, limits. */

import { join } from 'node:path';
import { messageOf } from '@mu/lib/error-message';
import type { ProviderConfig } from '../../config/schema.ts';
import { identityFolder } from '../../setup/places.ts';
import { expiries } from '../expiry.ts';
import { type Check, fail, ok, type Verdict, warn, worst } from './finding.ts';
import type { Probes } from './probes.ts';

const gibibyte = 1n << 30n;
/** Below this the journal and the logs of tenants run into trouble within days. */
export const lowDiskBytes = 5n * gibibyte;
/** Below this nothing can be relied on. */
export const leastDiskBytes = gibibyte;
/** The gateway keeps 10,000 idle connections, each with a file, and workloads need some beside. */
export const enoughFiles = 16_384;
export const leastFiles = 4_096;
const dayMs = 86_400_000;
/** Tools of authorities renew a month before the end: later than this they have failed. */
export const gatewaySoonDays = 14;

export const passwordCheck: Check = {
  name: 'password',
  async look({ keys }, probes) {
    const mode = await probes.mode(keys.passwordFile);
    if (mode === undefined) {
      return fail(
        `${keys.passwordFile} is not there`,
        'put the password of the keys into it, or let keys.password_file name the right file',
      );
    }
    return open(mode)
      ? fail(`others may read ${keys.passwordFile}`, `run chmod 600 ${keys.passwordFile}`)
      : ok('only its owner may read it');
  },
};

export const keysCheck: Check = {
  name: 'keys',
  async look(config, probes) {
    const names = [...new Set([config.keys.owner, config.keys.operator])];
    return worst(await Promise.all(names.map((name) => keyVerdict(name, config, probes))));
  },
};

async function keyVerdict(name: string, { keys }: ProviderConfig, probes: Probes): Promise<Verdict> {
  const file = join(keys.folder, `${name}.json`);
  const mode = await probes.mode(file);
  if (mode === undefined) {
    return fail(
      `the key ${name} is not in ${keys.folder}`,
      'put it back from your copy, or name another one in keys.owner and keys.operator',
    );
  }
  if (open(mode)) return fail(`others may read ${file}`, `run chmod 600 ${file}`);
  try {
    return ok(`${name} is ${await probes.unlock(name)}`);
  } catch (error) {
    return fail(`the key ${name} cannot be opened: ${messageOf(error)}`, `put its password into ${keys.passwordFile}`);
  }
}

export const identityCheck: Check = {
  name: 'identity',
  async look(config, probes) {
    const { name } = await probes.identity();
    const { chain, node } = config;
    if (name.chainId !== chain.id) {
      return fail(
        `the identity is of chain ${name.chainId}, the config of ${chain.id}`,
        'set chain.id, or use the folder of that chain',
      );
    }
    if (name.nodeId !== node.id) {
      return fail(`the identity is of node ${name.nodeId}, the config of ${node.id}`, `set node.id to ${name.nodeId}`);
    }
    return ok(`provider ${name.provider}, node ${name.nodeId}, in ${identityFolder(config)}`);
  },
};

export const certificateCheck: Check = {
  name: 'certificates',
  async look(_config, probes) {
    const identity = await probes.identity();
    const now = probes.now();
    const { notBeforeMs } = identity.nodeCertificate;
    if (now < notBeforeMs) {
      const from = new Date(notBeforeMs).toISOString();
      return fail(`the node’s certificate holds from ${from}, which is in the future`, 'set this machine’s clock');
    }
    const found = expiries({ identity, registry: undefined, height: 0n, nowMs: now });
    return worst(
      found.map(({ level, text, atMs = 0 }) => {
        const left = `${text} (${Math.floor((atMs - now) / dayMs)} days)`;
        if (level === 'fine') return ok(left);
        const hint =
          'the daemon renews the node’s certificate at half of its life, if root.key.pem is in the identity’s folder';
        return level === 'over' ? fail(left, hint) : warn(left, hint);
      }),
    );
  },
};

/** Of the door's own certificate: one from an authority of its own is renewed by the gateway. */
export const gatewayCertificateCheck: Check = {
  name: 'gateway certificate',
  async look({ gateway: { tlsCert } }, probes) {
    if (tlsCert === '') return undefined;
    let endMs: number;
    try {
      endMs = await probes.certificateEnd(tlsCert);
    } catch (error) {
      return fail(
        `${tlsCert} holds no certificate: ${messageOf(error)}`,
        'let gateway.tls_cert name a certificate in PEM',
      );
    }
    const days = Math.floor((endMs - probes.now()) / dayMs);
    const text = `${tlsCert} ${days < 0 ? 'ended' : 'ends'} at ${new Date(endMs).toISOString()} (${days} days)`;
    const hint = 'put a new certificate into its place';
    if (days < 0) return fail(text, hint);
    return days < gatewaySoonDays ? warn(text, hint) : ok(text);
  },
};

export const dataFolderCheck: Check = {
  name: 'data folder',
  async look({ node: { dataFolder } }, probes) {
    try {
      await probes.writable(dataFolder);
    } catch (error) {
      return fail(
        `${dataFolder} cannot be written: ${messageOf(error)}`,
        'let it belong to the user that runs the daemon, or name another node.data_folder',
      );
    }
    const free = await probes.freeBytes(dataFolder);
    const text = `${free / (1n << 20n)} MiB are free at ${dataFolder}`;
    if (free < leastDiskBytes) return fail(text, 'make room: large manifests are refused, and counts may be lost');
    return free < lowDiskBytes ? warn(text, 'make room, or offer less disk with capacity.disk') : ok(text);
  },
};

export const journalCheck: Check = {
  name: 'journal',
  async look({ node: { dataFolder } }, probes) {
    const daemon = await probes.daemon();
    if (daemon !== undefined) return ok(`the daemon (process ${daemon.pid}) has it open`);
    if (!(await probes.exists(join(dataFolder, 'journal')))) return ok('there is none yet: the first start makes it');
    try {
      await probes.journal(await probes.identity());
      return ok('it opens');
    } catch (error) {
      return fail(
        `it does not open: ${messageOf(error)}`,
        'use the data folder of this provider; a damaged journal is moved away by hand, what it had not reported is lost',
      );
    }
  },
};

export const openFilesCheck: Check = {
  name: 'open files',
  async look(_config, probes) {
    const daemon = await probes.daemon();
    const { soft, hard } = await probes.openFiles(daemon?.pid ?? 'self');
    // Node raises the soft limit to the hard one when it starts.
    const limit = hard ?? soft;
    if (limit === undefined) return ok('there is no limit, or the system does not tell');
    const text = `${daemon === undefined ? 'a program of this user' : 'the daemon'} may have ${limit} files open`;
    const hint = `set LimitNOFILE=${enoughFiles * 4} in its service, or ulimit -n in its shell`;
    if (limit < leastFiles) return fail(text, hint);
    return limit < enoughFiles ? warn(text, hint) : ok(text);
  },
};

const open = (mode: number): boolean => (mode & 0o077) !== 0;
