/** Tunnels between two data planes in bad times: peers that move, networks that part, a chain that is away for long. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { KnownPairs } from '../../src/data-plane/known-pairs.ts';
import type { ServedTunnel } from '../../src/data-plane/links.ts';
import { backdatedMs } from '../../src/identity/certificates.ts';
import { tunnelLifetimeMs } from '../../src/overlay/certificates.ts';
import { sessionLimits } from '../../src/overlay/session-options.ts';
import { tunnelLimits } from '../../src/overlay/tunnel-options.ts';
import { type CallableWorkload, type FunctionSpec, WorkloadError } from '../../src/workloads/driver.ts';
import { NullDriver } from '../../src/workloads/null-driver.ts';
import { eventually } from '../network/support/eventually.ts';
import { undo, undoAll } from '../overlay/support/sessions.ts';
import { allowSeconds } from '../workloads/patience.ts';
import {
  ask,
  elsewhere,
  end,
  leaseOf,
  type Node,
  node,
  serveDb,
  talking,
  viewOf,
  type World,
  type WorldOptions,
  world,
} from './support/linked-planes.ts';

allowSeconds(300);
afterEach(undoAll);

const minuteMs = 60_000;
const { firstBackOffMs, leastDialMs, mostBackOffMs } = tunnelLimits;
const { silentMs } = sessionLimits;

const isUp = async ({ plane }: Node): Promise<boolean> => (await plane.figures()).tunnels.up === 1;
const isDown = async (of: Node): Promise<boolean> => !(await isUp(of));
const has = (log: readonly string[], part: string) => (): boolean => log.some((line) => line.includes(part));
const oldView = ({ timers }: World, minutes: number) => ({
  ...viewOf(timers),
  verifiedAtMs: timers.now() - minutes * minuteMs,
});

async function up(options?: WorldOptions): Promise<World> {
  const made = await world(options);
  await eventually('the tunnel', async () => (await isUp(made.caller)) && (await isUp(made.callee)));
  return made;
}

async function answered(socket: Socket, words: string): Promise<string> {
  socket.write(words);
  return String((await once(socket, 'data'))[0]);
}

describe('a workload that has moved', () => {
  it('is called where it is now; connections to where it was go on as long as it is there, and are then reset', async () => {
    const made = await up();
    const { caller, callee, relayPort } = made;
    const kept = await talking(relayPort);
    const { next, atWeb } = await elsewhere(made, (socket) => socket.end('the new place'));
    await caller.plane.link('1', { tunnels: [atWeb, made.atWeb], neighbours: [] });
    await eventually('the tunnel', () => isUp(next));
    expect(await ask(relayPort, 'where?')).toBe('the new place');
    expect(await answered(kept, 'still there?')).toBe('still there?');
    const over = end(kept);
    await callee.plane.withdraw('2');
    expect(await over).toBe('reset');
    await caller.plane.link('1', { tunnels: [atWeb], neighbours: [] });
    expect(await ask(relayPort, 'and now?')).toBe('the new place');
  });

  /** Nobody has answered at the callee's address for so long that the next attempt is a minute away. */
  async function away(): Promise<{ readonly made: World; readonly port: number }> {
    let failed = 0;
    // It is asked for once with each attempt that has failed.
    const random = (): number => {
      failed += 1;
      return 1;
    };
    const made = await up({ caller: { random } });
    const { port } = made.callee.listener.at;
    await made.callee.end();
    await eventually('the break', () => isDown(made.caller));
    for (let waitMs = firstBackOffMs; waitMs < 2 * mostBackOffMs; waitMs *= 2) {
      const before = failed;
      made.timers.advance(waitMs);
      await eventually('the attempt', () => failed > before);
    }
    made.timers.advance(2 * leastDialMs);
    return { made, port };
  }

  it('answers as soon as somebody asks, however long it was away', async () => {
    const { made, port } = await away();
    const next = await node({ timers: made.timers }, port);
    await serveDb(next, made.atDb, made.timers);
    expect(await isUp(next)).toBe(false);
    expect(await ask(made.relayPort, 'at once')).toBe('at once');
  });

  it('is connected before anybody asks, when the chain says that it runs', async () => {
    const { made, port } = await away();
    const next = await node({ timers: made.timers }, port);
    await serveDb(next, made.atDb, made.timers);
    const runs = (isRunning: boolean): ServedTunnel => {
      const leases = made.atWeb.facts.leases.map((lease) => ({ ...lease, isRunning }));
      return { ...made.atWeb, facts: { ...made.atWeb.facts, leases } };
    };
    await made.caller.plane.link('1', { tunnels: [runs(false)], neighbours: [] });
    await eventually('the tunnel', () => isUp(next));
  });
});

describe('a network that parts', () => {
  it('is noticed at both ends, whose connections break; when it heals the tunnel comes again', async () => {
    const made = await up({ between: lineTo });
    const socket = await talking(made.relayPort);
    const over = end(socket);
    line.isParted = true;
    for (let ms = 0; ms <= silentMs + 2000; ms += 1000) made.timers.advance(1000);
    expect(await over).toBe('reset');
    expect([await isDown(made.caller), await isDown(made.callee)]).toEqual([true, true]);
    expect([made.caller.log, made.callee.log].map((log) => has(log, 'nothing came for 4')())).toEqual([true, true]);
    await expect(lateAsk(made)).rejects.toThrow(/ECONNRESET/);
    line.isParted = false;
    made.timers.advance(mostBackOffMs);
    expect(await ask(made.relayPort, 'together again')).toBe('together again');
  });

  /** One that waits for the tunnel in vain. */
  async function lateAsk({ relayPort, timers, caller }: World): Promise<string> {
    const { accepted } = (await caller.plane.figures()).relays;
    const answer = ask(relayPort, 'anybody?');
    await eventually('the call', async () => (await caller.plane.figures()).relays.accepted > accepted);
    timers.advance(tunnelLimits.openMs);
    return answer;
  }
});

describe('while the chain is away for long', () => {
  const leftMs = 30_000;
  const agedMs = tunnelLifetimeMs - backdatedMs - leftMs;

  it('a tunnel stands until its certificates end, and then no other comes in its place', async () => {
    const made = await up({ agedMs });
    const socket = await talking(made.relayPort);
    for (const { plane } of [made.caller, made.callee]) await plane.view(oldView(made, 2000));
    made.timers.advance(leftMs - 1);
    expect(await answered(socket, 'still there?')).toBe('still there?');
    const over = end(socket);
    made.timers.advance(1);
    expect(await over).toBe('reset');
    await eventually('the word', has(made.caller.log, 'a certificate of the tunnel has expired'));
    made.timers.advance(firstBackOffMs);
    const { log } = made.caller;
    await eventually('the next word', () => has(log.concat(made.callee.log), 'not admitted (expired)')());
    expect(await isDown(made.caller)).toBe(true);
  });

  it('those that had the tunnel find each other for a day, and not after it', async () => {
    const made = await up();
    const again = async (minutes: number): Promise<void> => {
      for (const { plane } of [made.caller, made.callee]) await plane.view(oldView(made, minutes));
      await made.callee.plane.link('2', { tunnels: [], neighbours: [] });
      await eventually('the break', () => isDown(made.caller));
      await made.callee.plane.link('2', { tunnels: [made.atDb], neighbours: [] });
      made.timers.advance(leastDialMs);
    };
    await again(24 * 60 - 1);
    await eventually('the tunnel', () => isUp(made.caller));
    await again(24 * 60 + 1);
    await eventually('the word', has(made.caller.log, 'not admitted (view_too_old): the chain was last verified 1441'));
    expect([await isDown(made.caller), await isDown(made.callee)]).toEqual([true, true]);
  });
});

describe('a lease that could not be withdrawn', () => {
  /** Its workloads cannot be stopped at the first attempt. */
  class Stubborn extends NullDriver {
    #isWilling = false;

    override async start(spec: FunctionSpec): Promise<CallableWorkload> {
      const workload = await super.start(spec);
      const stop = workload.stop.bind(workload);
      workload.stop = async () => {
        if (this.#isWilling) return stop();
        this.#isWilling = true;
        throw new WorkloadError('failed', 'it does not stop');
      };
      return workload;
    }
  }

  it('is cut, and is linked again when it is served again', async () => {
    const made = await up();
    await made.caller.end();
    const web = await node({ timers: made.timers }, 0, new Stubborn());
    await web.plane.view(viewOf(made.timers));
    const file = join(mkdtempSync(join(tmpdir(), 'mu-links-')), 'module.wasm');
    undo.push(() => rmSync(dirname(file), { recursive: true }));
    writeFileSync(file, 'a module');
    const sha256 = createHash('sha256').update('a module').digest('hex');
    const lease = {
      ...leaseOf('1'),
      functions: [{ service: 'f', file, sha256, memoryBytes: 65_536, timeoutMs: 1000, env: {} }],
    };
    await web.plane.serve(lease);
    const links = { tunnels: [made.atWeb], neighbours: [] };
    await web.plane.link('1', links);
    await eventually('the tunnel', () => isUp(web));
    await expect(web.plane.withdraw('1')).rejects.toThrow('it does not stop');
    await web.plane.link('1', links);
    expect((await web.plane.figures()).tunnels).toMatchObject({ up: 0, down: 0 });
    await web.plane.serve(lease);
    await web.plane.link('1', links);
    await eventually('the tunnel again', () => isUp(web));
  });
});

describe('many tunnels', () => {
  it('are looked at with each block, and whatever else is served goes on meanwhile', async () => {
    const made = await up();
    const { caller, atWeb, timers } = made;
    let looks = 0;
    const busyMs = 6;
    const known = {
      has: () => true,
      add() {
        looks += 1;
        for (const until = performance.now() + busyMs; performance.now() < until; );
      },
    };
    await caller.end();
    const busy = await node({ timers, known: known as unknown as KnownPairs });
    await busy.plane.view(viewOf(timers));
    const leases = ['1', '4', '5'];
    for (const lease of leases) {
      await busy.plane.serve(leaseOf(lease));
      await busy.plane.link(lease, { tunnels: [atWeb], neighbours: [] });
      await eventually('the tunnel', async () => (await busy.plane.figures()).tunnels.up > leases.indexOf(lease));
    }
    looks = 0;
    const seen: number[] = [];
    const look = (): void => {
      seen.push(looks);
      if (looks < leases.length) setImmediate(look);
    };
    setImmediate(look);
    await busy.plane.view(viewOf(timers, 101));
    expect(looks).toBe(leases.length);
    expect(seen).toContain(1);
    expect(seen).toContain(2);
  });
});

describe('many connections', () => {
  it('10,000 short ones, each of which ends first and is answered then, are one handshake and are counted once', async () => {
    const made = await up();
    const [count, side] = [10_000, 100];
    for (let from = 0; from < count; from += side) {
      const questions = Array.from({ length: side }, (_none, at) => `question ${from + at}`);
      expect(await Promise.all(questions.map((question) => ask(made.relayPort, question)))).toEqual(questions);
    }
    await eventually('their end', async () => (await made.callee.plane.figures()).tunnels.streams === 0);
    const { tunnels } = await made.caller.plane.figures();
    expect(tunnels).toMatchObject({ up: 1, opened: count, failed: 0, streams: 0 });
    expect(made.caller.log.filter((one) => one.endsWith(': up'))).toHaveLength(1);
    const carried = Array.from({ length: count }, (_none, at) => 2 * `question ${at}`.length).reduce((a, b) => a + b);
    expect(await billed(made)).toEqual([BigInt(carried), BigInt(carried)]);
  });

  async function billed({ caller, callee }: World): Promise<bigint[]> {
    const all = [...(await caller.plane.totals()), ...(await callee.plane.totals())];
    return all.flatMap(({ totals }) => totals.map(({ total }) => BigInt(total)));
  }

  it('are counted over breaks, withdrawals and the end of the process, never less and never twice', async () => {
    const made = await up();
    const { caller, callee, relayPort, timers } = made;
    const socket = await talking(relayPort);
    let carried = 2n * BigInt('are you there?'.length);
    expect(await billed(made)).toEqual([carried, carried]);
    const over = end(socket);
    await callee.plane.withdraw('2');
    await over;
    expect(await billed(made)).toEqual([carried, carried]);
    await serveDb(callee, made.atDb, timers);
    timers.advance(mostBackOffMs);
    expect(await ask(relayPort, 'again')).toBe('again');
    carried += 2n * BigInt('again'.length);
    expect(await billed(made)).toEqual([carried, carried]);
    const last = await talking(relayPort);
    carried += 2n * BigInt('are you there?'.length);
    const lastOver = end(last);
    for (const { plane } of [caller, callee]) plane.cutTunnels();
    await lastOver;
    for (const { plane } of [caller, callee]) plane.count();
    expect(await billed(made)).toEqual([carried, carried]);
  });
});

/** Between caller and callee. While it has parted nothing comes through, and nobody is told. */
const line = { isParted: false };

async function lineTo(port: number): Promise<number> {
  line.isParted = false;
  const ends = new Set<Socket>();
  const join = (from: Socket, to: Socket): void => {
    ends.add(from);
    from.on('error', () => {}).on('data', (bytes) => line.isParted || to.write(bytes));
    from.on('close', () => {
      ends.delete(from);
      if (!line.isParted) to.destroy();
    });
  };
  const server = createServer((client) => {
    const far = connect(port, '127.0.0.1');
    join(client, far);
    join(far, client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => {
    server.close();
    for (const socket of ends) socket.destroy();
  });
  return (server.address() as { port: number }).port;
}
