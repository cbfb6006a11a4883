/** Sees to connections of manifests of which something is missing: with participants chosen by chance, each after its back-off. */
import { holds } from '../leases/participants.ts';
import { peerChain } from '../overlay/tls.ts';
import { admitPeer, roleOf } from './admission.ts';
import { BackOff } from './back-off.ts';
import { PeerConnection } from './connection.ts';
import type { Exchange } from './exchange.ts';
import type { Exchanges } from './exchanges.ts';
import { awaitHello, deaf, type Hello, helloOf, isSameManifest } from './hello.ts';
import { peerLimits } from './limits.ts';
import type { Link } from './link.ts';
import type { FactsOfPeer } from './peer-facts.ts';
import { dialPeer } from './tls.ts';

interface Dialled {
  readonly backOff: BackOff;
  readonly underWay: Set<string>;
  /** Why the last attempt at a peer failed: the same is not logged again and again. */
  readonly told: Map<string, string>;
}

/** Steps of chance between 0 and 1. */
const chanceSteps = 2 ** 20;

export class Dialler {
  readonly #exchanges: Exchanges;
  readonly #closing = new AbortController();
  readonly #dialled = new WeakMap<Exchange, Dialled>();
  #underWay = 0;

  constructor(exchanges: Exchanges) {
    this.#exchanges = exchanges;
  }

  /** Dials as many as are due. */
  tick(exchange: Exchange): void {
    if (!exchange.lacks || this.#closing.signal.aborted) return;
    void this.#dialSome(exchange);
  }

  /** A connection is over. */
  left(exchange: Exchange, link: Link): void {
    const nowMs = this.#exchanges.options.timers.now();
    const failed = nowMs - link.sinceMs < peerLimits.mostBackOffMs / 2;
    this.#of(exchange).backOff.ended(link.provider, failed, nowMs);
  }

  close(): void {
    this.#closing.abort(new Error('closing'));
  }

  async #dialSome(exchange: Exchange): Promise<void> {
    const { options, connections } = this.#exchanges;
    const { underWay, backOff, told } = this.#of(exchange);
    const room = Math.min(
      peerLimits.dialled - exchange.links.length - underWay.size,
      peerLimits.dialling - this.#underWay,
      options.rules.maxPeers - connections - this.#underWay,
    );
    if (room <= 0) return;
    const nowMs = options.timers.now();
    const participants = await this.#participants(exchange);
    const known = new Set([...participants, ...exchange.links.map(({ provider }) => provider)]);
    backOff.keepOnly(known);
    for (const provider of told.keys()) if (!known.has(provider)) told.delete(provider);
    const list = participants.filter(
      (provider) =>
        backOff.may(provider, nowMs) &&
        !underWay.has(provider) &&
        exchange.linked(provider) === undefined &&
        !exchange.isBanned(provider),
    );
    for (let dialled = 0; dialled < room && list.length > 0 && !this.#closing.signal.aborted; dialled += 1) {
      const [provider] = list.splice(options.random(list.length), 1) as [string];
      if (!underWay.has(provider)) void this.#dial(exchange, provider);
    }
  }

  /** Who may have it: holders of leases that live, and of those that ended a short time ago. */
  async #participants({ name }: Exchange): Promise<string[]> {
    const { facts, options } = this.#exchanges;
    try {
      const { value, view } = await facts.deployment(name.owner, name.dseq);
      const grace = { height: view.height, serveGraceBlocks: options.rules.serveGraceBlocks };
      const able = value?.participants.filter((one) => holds(one) || roleOf(value, one.provider, grace) !== undefined);
      return [...new Set(able?.map(({ provider }) => provider) ?? [])].filter((one) => one !== options.own);
    } catch {
      // The chain is away: whom to dial is known again with the next block.
      return [];
    }
  }

  async #dial(exchange: Exchange, provider: string): Promise<void> {
    const { underWay, backOff, told } = this.#of(exchange);
    const { options } = this.#exchanges;
    underWay.add(provider);
    this.#underWay += 1;
    try {
      await this.#connect(exchange, provider);
      told.delete(provider);
    } catch (error) {
      // The other side may have dialled meanwhile: then nothing has failed.
      const failed = exchange.linked(provider) === undefined;
      backOff.ended(provider, failed, options.timers.now());
      const { message } = error as Error;
      if (failed && told.get(provider) !== message && !this.#closing.signal.aborted) {
        told.set(provider, message);
        options.log.info({ peer: provider, manifest: exchange.swarm }, `no manifest from ${provider} now: ${message}`);
      }
    } finally {
      underWay.delete(provider);
      this.#underWay -= 1;
    }
  }

  async #connect(exchange: Exchange, provider: string): Promise<void> {
    const { options, facts, credentials } = this.#exchanges;
    const { owner, dseq } = exchange.name;
    const known = await facts.peer({ owner, dseq, provider });
    const hostUri = known.provider?.hostUri;
    if (hostUri === undefined) throw new Error('the chain has no such provider');
    const { timers, rules, limits = {} } = options;
    const { allowPrivatePeers } = rules;
    const socket = await dialPeer({ hostUri, credentials, allowPrivatePeers, timers }, this.#closing.signal);
    const chain = peerChain(socket);
    const answer = this.#admitted(known, chain, provider);
    const connection = new PeerConnection({ socket, timers, limits, handler: deaf });
    if (!answer.admitted) {
      connection.close('not admitted');
      this.#exchanges.tally.refuse(answer.reason);
      throw new Error(`not admitted (${answer.reason}): ${answer.text}`);
    }
    const { role, notAfterMs } = answer;
    const { signal } = this.#closing;
    const abort = (): void => connection.close('closing');
    signal.addEventListener('abort', abort, { once: true });
    try {
      await hellos(connection, exchange, timers, () =>
        exchange.add({ provider, chain, role, notAfterMs, isDialled: true, connection }),
      );
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #admitted(facts: FactsOfPeer, chain: readonly Uint8Array[], provider: string) {
    const { chainId, rules, timers } = this.#exchanges.options;
    return admitPeer({
      ...{ chain, ...facts, expected: { chainId, provider }, isStanding: false },
      ...{ serveGraceBlocks: rules.serveGraceBlocks, nowMs: timers.now() },
    });
  }

  #of(exchange: Exchange): Dialled {
    const known = this.#dialled.get(exchange);
    if (known !== undefined) return known;
    const { random } = this.#exchanges.options;
    const backOff = new BackOff(() => random(chanceSteps) / chanceSteps);
    const dialled = { backOff, underWay: new Set<string>(), told: new Map<string, string>() };
    this.#dialled.set(exchange, dialled);
    return dialled;
  }
}

/** Says hello, and takes the connection up when the other side has said the same. */
function hellos(
  connection: PeerConnection,
  exchange: Exchange,
  timers: Exchanges['options']['timers'],
  take: () => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    awaitHello(connection, {
      timers,
      came: (hello: Hello) => {
        if (!isSameManifest(hello, exchange.name)) {
          connection.close('it says hello for another manifest');
          reject(new Error('it says hello for another manifest'));
          return;
        }
        // At once: what follows in the same bytes is for the exchange.
        take();
        resolve();
      },
      failed: (why) => reject(new Error(why)),
    });
    connection.send(helloOf(exchange.name));
  });
}
