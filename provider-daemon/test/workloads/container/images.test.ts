/** Images from a registry and from archives, with the real engine. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ContainerDriver } from '../../../src/workloads/container/container-driver.ts';
import type { ContainerSpec, ImageSource, WorkloadError } from '../../../src/workloads/driver.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { type ImageWish, makeImage, nodeArchitecture, type TestImage, writeOciArchive } from '../../support/images.ts';
import { startRegistry, type TestRegistry } from '../../support/registry.ts';
import { errorOf, eventually } from '../driver-compliance.ts';
import { allowSeconds } from '../patience.ts';
import { answers, ask, type ContainerBench, containerBench, shell } from './bench.ts';

allowSeconds(120);

const user = { username: 'tenant', password: 'secret:word' };
const mebibyte = 1024 * 1024;

describeWithDocker('images of containers', (docker) => {
  let bench: ContainerBench;
  let driver: ContainerDriver;
  let registry: TestRegistry;
  let locked: TestRegistry;

  beforeAll(async () => {
    bench = await containerBench(docker);
    driver = await bench.driver({ allowPrivateRegistries: true, maxImageBytes: 8 * mebibyte });
    registry = await startRegistry();
    locked = await startRegistry({ user, auth: 'bearer' });
  });
  afterAll(async () => {
    await Promise.all([registry.close(), locked.close()]);
  });

  const from = (image: ImageSource, deployment = '1'): ContainerSpec =>
    shell({ kind: 'image', image }, answers('served'), {
      deployment,
      health: { path: '/', port: 8080, intervalMs: 500 },
    });
  const fromRegistry = (reference: string, deployment?: string): ContainerSpec =>
    from({ from: 'registry', reference }, deployment);
  /** An image like no other, so that the engine has none of its top layer. */
  const unlike = (name: string, wish: ImageWish = {}): Promise<TestImage> =>
    makeImage({ files: { name: `${docker.name} ${name}` }, ...wish });
  const tags = async (): Promise<string[]> => {
    const found = await docker.docker.listImages();
    return found.flatMap(({ RepoTags, RepoDigests }) => [...(RepoTags ?? []), ...(RepoDigests ?? [])]);
  };

  /** By a driver of its own: what other tests write meanwhile to the engine's disk counts against such small limits. */
  const refusalBySmall = async (spec: ContainerSpec): Promise<WorkloadError> => {
    const limits = { maxImageBytes: 8 * mebibyte, maxUnpackedImageBytes: 16 * mebibyte };
    const small = await bench.driver({ allowPrivateRegistries: true, ...limits });
    try {
      return await errorOf(small.start(spec));
    } finally {
      await small.close();
    }
  };

  describe('from a registry', () => {
    test('by digest, with progress in the log; gone from the engine when the workload ends', async () => {
      const reference = registry.add('team/web', await unlike('plain'));
      const workload = await driver.start(fromRegistry(reference));
      expect(await ask(workload)).toBe('served');
      const told = bench.lines.filter((line) => line.startsWith('1/app system: '));
      expect(told[0]).toMatch(/fetching 127\.0\.0\.1:\d+\/team\/web@sha256:[0-9a-f]{64}, \d\.\d MiB in 2 layers/);
      expect(told).toContain('1/app system: the image is here');
      // Only under a name of our own.
      expect((await tags()).filter((tag) => tag.includes('team/web'))).toEqual([]);
      await workload.stop();
      expect((await tags()).filter((tag) => tag.includes('/1:app.'))).toEqual([]);
      expect(registry.requests.findIndex((path) => path.includes('/manifests/'))).toBeLessThan(
        registry.requests.findIndex((path) => path.includes('/blobs/')),
      );
    });

    test('what is here is not asked for again, by the same deployment', async () => {
      const reference = registry.add('team/again', await unlike('again'));
      const workload = await driver.start(fromRegistry(reference));
      const before = registry.requests.length;
      await workload.update({ ...fromRegistry(reference), env: { NEW: '1' } });
      expect(registry.requests.length).toBe(before);
      await workload.stop();
    });

    test('of an index the image for this machine is taken', async () => {
      const other = await unlike('other', { architecture: 's390x' });
      const reference = registry.addIndex('team/many', [
        { image: other, architecture: 's390x' },
        { image: await unlike('ours'), architecture: nodeArchitecture },
      ]);
      const workload = await driver.start(fromRegistry(reference));
      expect(await ask(workload)).toBe('served');
      await workload.stop();
      const foreign = registry.addIndex('team/foreign', [{ image: other, architecture: 's390x' }]);
      const error = await errorOf(driver.start(fromRegistry(foreign)));
      expect(error.reason).toBe('image');
      expect(error.message).toContain('only for linux/s390x');
    });

    test('a private one needs its credentials, and one tenant’s are of no use to another', async () => {
      const reference = locked.add('team/private', await unlike('private'));
      const theirs = await driver.start(from({ from: 'registry', reference, credentials: user }, '1'));
      expect(await ask(theirs)).toBe('served');
      const without = await errorOf(driver.start(fromRegistry(reference, '2')));
      expect(without.reason).toBe('image');
      expect(without.message).toContain('it needs credentials');
      const wrong = { username: 'tenant', password: 'guess' };
      const guessed = await errorOf(driver.start(from({ from: 'registry', reference, credentials: wrong }, '2')));
      expect(guessed.reason).toBe('image');
      expect(guessed.message).toContain('not accepted');
      expect(guessed.message).not.toContain('guess');
      expect(await driver.found()).toEqual([{ deployment: '1', service: 'app' }]);
      await theirs.stop();
    });

    test('one that does not exist, or differs from its digest, is refused', async () => {
      const image = await unlike('missing');
      const missing = await errorOf(driver.start(fromRegistry(`${registry.host}/no/such@${image.manifest.digest}`)));
      expect(missing.reason).toBe('image');
      expect(missing.message).toContain('no such image (404)');
      const reference = registry.add('team/changed', image);
      registry.corrupt(image.manifest.digest, (await unlike('another')).manifest.bytes);
      const changed = await errorOf(driver.start(fromRegistry(reference)));
      expect(changed.reason).toBe('image');
      expect(changed.message).toContain('a manifest with the digest sha256:');
    });

    test('a layer that differs from its digest is refused by the engine', async () => {
      const image = await unlike('layer');
      const reference = registry.add('team/layer', image);
      registry.corrupt(image.layers[1]!.digest, (await unlike('foreign layer')).layers[1]!.bytes);
      expect((await errorOf(driver.start(fromRegistry(reference)))).reason).toBe('image');
      expect((await tags()).filter((tag) => tag.includes('team/layer'))).toEqual([]);
    });

    test('too large to fetch: refused before anything is fetched', async () => {
      const image = await unlike('large', { files: { noise: noise(9 * mebibyte) } });
      const reference = registry.add('team/large', image);
      const before = registry.requests.length;
      const error = await errorOf(driver.start(fromRegistry(reference)));
      expect(error.reason).toBe('image');
      expect(error.message).toMatch(/\d+ bytes to fetch, at most 8388608 are allowed/);
      expect(registry.requests.slice(before).filter((path) => path.includes('/blobs/'))).toEqual([]);
    });

    test('too large unpacked: refused, and gone', async () => {
      const image = await unlike('unpacked', { files: { zeros: Buffer.alloc(20 * mebibyte) } });
      const reference = registry.add('team/unpacked', image);
      const error = await refusalBySmall(fromRegistry(reference));
      expect(error.reason).toBe('image');
      // Found by its size, or before by what the disk lost.
      expect(error.message).toMatch(
        /\d+ bytes unpacked, at most 16777216 are allowed|unpacked it is larger than 16777216/,
      );
      expect((await tags()).filter((tag) => tag.includes('team/unpacked') || tag.includes('/1:app.'))).toEqual([]);
    });

    test('a private registry is not asked where that is not allowed', async () => {
      const strict = await bench.driver();
      const before = registry.requests.length;
      const reference = registry.add('team/strict', await unlike('strict'));
      const error = await errorOf(strict.start(fromRegistry(reference, '3')));
      expect(error.reason).toBe('image');
      expect(error.message).toContain('not public');
      expect(registry.requests.length).toBe(before);
      await strict.close();
    });

    test('two deployments that want the same image at once both get it', async () => {
      const reference = registry.add('team/both', await unlike('both'));
      const both = await Promise.all([
        driver.start(fromRegistry(reference, '4')),
        driver.start(fromRegistry(reference, '5')),
      ]);
      expect(await Promise.all(both.map((workload) => ask(workload)))).toEqual(['served', 'served']);
      await both[0]!.stop();
      // The other’s name keeps the image.
      await both[1]!.update({ ...fromRegistry(reference, '5'), env: { NEW: '1' } });
      expect(await ask(both[1]!)).toBe('served');
      await both[1]!.stop();
    });
  });

  describe('from an archive', () => {
    test('an OCI layout is loaded, under a name of our own', async () => {
      const path = join(bench.folder, 'layout.tar');
      await writeOciArchive(await unlike('layout'), path);
      const workload = await driver.start(from({ from: 'archive', path, name: 'layout.tar' }));
      expect(await ask(workload)).toBe('served');
      expect(await tags()).not.toContain('other/name:latest');
      await workload.stop();
    });

    test('another content of the same name is another version', async () => {
      const path = join(bench.folder, 'changing.tar');
      const spec = { ...from({ from: 'archive', path, name: 'changing.tar' }), command: ['/serve'] };
      const serve = (text: string) => ({ files: { serve: `#!/bin/sh\n${answers(text)}\n` } });
      await writeOciArchive(await makeImage(serve('first')), path);
      const workload = await driver.start(spec);
      expect(await ask(workload)).toBe('first');
      await writeOciArchive(await makeImage(serve('second')), path);
      await workload.update(spec);
      expect(await ask(workload)).toBe('second');
      await workload.stop();
    });

    test('too large unpacked: refused before the engine gets it', async () => {
      const path = join(bench.folder, 'zeros.tar');
      await writeOciArchive(await unlike('zeros', { files: { zeros: Buffer.alloc(20 * mebibyte) } }), path);
      const error = await refusalBySmall(from({ from: 'archive', path, name: 'zeros.tar' }));
      expect(error.reason).toBe('image');
      expect(error.message).toContain('zeros.tar: unpacked it is larger');
    });
  });

  test('progress is told while a large image comes', async () => {
    const reference = registry.add('team/slow', await unlike('slow'));
    const gate = registry.hold();
    const starting = driver.start(fromRegistry(reference, '6'));
    await eventually('the announcement', () => bench.lines.find((line) => line.startsWith('6/app system: fetching ')));
    gate.release();
    const workload = await starting;
    expect(
      bench.lines.filter((line) => /^6\/app system: fetching: \d of 2 layers are here$/.test(line)).length,
    ).toBeGreaterThan(0);
    await workload.stop();
  });
});

/** Bytes that do not compress, always the same. */
function noise(bytes: number): Buffer {
  const buffer = Buffer.alloc(bytes);
  let state = 1;
  for (let at = 0; at < bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    buffer.writeUInt32LE(state, at);
  }
  return buffer;
}
