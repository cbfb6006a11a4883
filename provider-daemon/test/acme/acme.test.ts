import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { findPebble, pebbleHint } from '../../../scripts/lib/pebble.ts';
import { AcmeCertificates } from '../../src/acme/acme-certificates.ts';
import { Challenges } from '../../src/gateway/challenges.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { wholeService } from '../gateway/fixture.ts';
import { allowSeconds } from '../workloads/patience.ts';
import { type PebbleServer, startPebble } from './pebble-server.ts';

allowSeconds(180);

const dayMs = 86_400_000;
const absent = new Set(['absent.tenant.example']);
const program = await findPebble();
const title = 'certificates from an ACME authority';

if (program !== undefined) describe(title, () => withPebble(program));
else {
  test(`NOT RUN, no pebble: ${title}`, () => {
    process.stderr.write(`\n*** NOT RUN: ${title}\n*** ${pebbleHint}\n\n`);
    expect(process.env['MU_REQUIRE_PEBBLE']).not.toBe('1');
  });
}

function withPebble(program: string): void {
  let folder: string;
  let pebble: PebbleServer;
  let root: string;
  let gateway: Gateway;
  let certificates: AcmeCertificates;
  let port: number;
  let ahead = 0;
  const challenges = new Challenges();
  const told: { message: string; data: Record<string, unknown> }[] = [];
  const say = (data: object, message: string) => void told.push({ message, data: { ...data } });

  const open = () =>
    new AcmeCertificates({
      ...{ directoryUrl: pebble.directoryUrl, ca: pebble.ca, email: 'ops@mu.example' },
      ...{ folder: join(folder, 'acme'), challenges, now: () => Date.now() + ahead },
      log: { info: say, warn: say } as never,
    });

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'mu-acme-'));
    // The authority asks at the gateway's port, which is known when it listens; the gateway needs the authority's address.
    const lobby = new Gateway({ challenges });
    const { port: httpPort } = await lobby.listen({ host: '127.0.0.1', port: 0 });
    await lobby.close();
    pebble = await startPebble({ program, folder, httpPort, absent });
    root = await pebble.root();
    certificates = open();
    gateway = new Gateway({ domain: 'mu.example', certificates, challenges });
    ({ port } = await gateway.listen({ host: '127.0.0.1', port: 0, plainPort: httpPort }));
  });
  afterAll(async () => {
    await gateway?.close();
    await pebble?.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => {
    told.length = 0;
  });

  /** What is shown for a name; undefined where the handshake is refused. Who shows it must be vouched for. */
  async function shownFor(servername: string): Promise<PeerCertificate | undefined> {
    const socket = connect({ port, host: '127.0.0.1', servername, ca: root });
    const refused = Promise.withResolvers<undefined>();
    socket.on('error', () => refused.resolve(undefined));
    const shown = await Promise.race([
      once(socket, 'secureConnect').then(() => socket.getPeerCertificate()),
      refused.promise,
    ]);
    socket.destroy();
    return shown;
  }

  test('each name that is served gets one, after that and not before', async () => {
    gateway.setRoutes('abc', { ...wholeService('7', []), hosts: ['www.tenant.example'] });
    expect(await shownFor('www.tenant.example')).toBeUndefined();
    await certificates.check();
    expect(told.map(({ message }) => message)).toEqual(['a certificate was issued', 'a certificate was issued']);
    expect((await shownFor('www.tenant.example'))?.subjectaltname).toBe('DNS:www.tenant.example');
    expect((await shownFor('abc.mu.example'))?.subjectaltname).toBe('DNS:abc.mu.example');
    expect(await shownFor('other.tenant.example')).toBeUndefined();
    const [status] = certificates.status();
    const days = ((status?.expires ?? 0) - Date.now()) / dayMs;
    expect([days > 89, days < 91]).toEqual([true, true]);
    expect(told[0]!.data['expires']).toBe(new Date(status!.expires!).toISOString());
  });

  test('account and certificates are files of their owner’s only, and are there after a restart', async () => {
    const [place] = readdirSync(join(folder, 'acme'));
    const files = readdirSync(join(folder, 'acme', place!));
    expect(files.sort()).toEqual(['abc.mu.example.pem', 'account.json', 'www.tenant.example.pem']);
    for (const file of files) expect(statSync(join(folder, 'acme', place!, file)).mode & 0o777).toBe(0o600);
    writeFileSync(join(folder, 'acme', place!, 'broken.example.pem'), 'nothing');
    const again = open();
    expect(told.map(({ data }) => data['file'])).toEqual([expect.stringContaining('broken.example.pem')]);
    rmSync(join(folder, 'acme', place!, 'broken.example.pem'));
    again.want(['www.tenant.example']);
    expect(again.contextFor('www.tenant.example')).toBeDefined();
    expect(again.contextFor('abc.mu.example')).toBeUndefined();
  });

  test('they are renewed at two thirds of their life, and asked for no sooner', async () => {
    const before = await shownFor('www.tenant.example');
    ahead = 59 * dayMs;
    await certificates.check();
    expect(told).toEqual([]);
    ahead = 61 * dayMs;
    await certificates.check();
    expect(told.map(({ message }) => message)).toEqual(['a certificate was issued', 'a certificate was issued']);
    expect((await shownFor('www.tenant.example'))?.serialNumber).not.toBe(before?.serialNumber);
    ahead = 0;
  });

  test('what fails is told with its reason and the next time, and is not tried again at once', async () => {
    certificates.want(['absent.tenant.example', 'blocked.example', 'abc.mu.example']);
    await certificates.check();
    expect(told).toHaveLength(2);
    for (const { message, data } of told) {
      expect(message).toMatch(/^a certificate could not be got/);
      expect(data).toMatchObject({
        name: expect.stringMatching(/absent|blocked/),
        next: expect.stringMatching(/^\d{4}-/),
      });
      expect(String(data['reason']).length).toBeGreaterThan(10);
    }
    told.length = 0;
    await certificates.check();
    expect(told).toEqual([]);
    ahead = 2 * 60_000;
    await certificates.check();
    expect(certificates.status().map(({ failures }) => failures)).toEqual([2, 2, 0]);
    told.length = 0;
    ahead += 3 * 60_000;
    await certificates.check();
    expect(told).toEqual([]);
    ahead = 0;
  });
}
